"""Measures and rules on numbers worked out by hand, and beside SciPy's tests."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from helpers.verdicts import EACH_MEASURE
from leaderboard.statistics import measures, rules
from leaderboard.statistics.intervals import interval
from leaderboard.statistics.stats import Mean

A = [10.0, 12.0, 14.0, 16.0]
B = [9.0, 9.5, 10.5, 15.0, 6.0]


def test_seeds_by_the_hundred_give_p_values_below_every_float():
    assert measures.smallest_p([[1.0, 2.0]], [[1.0, 2.0]]) == 1 / 6
    hundreds = [[float(seed) for seed in range(500)]] * 5
    assert measures.smallest_p(hundreds, hundreds) == 0.0
    alike, apart = [[1.0] * 500] * 5, [[2.0] * 500] * 5
    assert measures.differences(apart, alike, 0.0).above < 1e-300


# -- means --


def test_a_share_of_an_estimated_mean_is_a_test_of_scaled_scores():
    # Means 13 and 10. Above by a tenth: the test is one of ours less 1.1 times theirs.
    ours = measures.shares([A], [B], 0.1)
    expected = scipy_stats.ttest_ind(
        A, [1.1 * b for b in B], equal_var=False, alternative="greater"
    )
    assert ours.above == pytest.approx(expected.pvalue)
    assert ours.above + ours.below == pytest.approx(1.0)
    assert (ours.value, ours.limit) == pytest.approx((0.3, 0.1))


def test_a_share_of_a_negative_mean_is_one_of_its_size():
    ours = measures.shares([[-8.0, -9.0]], [[-10.0, -12.0]], 0.1)
    assert (ours.value, ours.limit) == pytest.approx((2.5 / 11.0, 0.1))
    # The test: -8.5 above -11 + 1.1.
    own = measures.differences([[-8.0, -9.0]], [[0.9 * -10.0, 0.9 * -12.0]], 0.0)
    assert ours.above == pytest.approx(own.above)


def test_a_difference_in_own_units_is_welchs_test():
    ours = measures.differences([A], [B], 1.0)
    shifted = [b + 1.0 for b in B]
    expected = scipy_stats.ttest_ind(A, shifted, equal_var=False, alternative="greater")
    assert ours.above == pytest.approx(expected.pvalue)


def test_pairs_are_students_test_of_differences():
    theirs = B[:4]
    ours = measures.paired_shares([A], [theirs], 0.1)
    expected = scipy_stats.ttest_rel(A, [1.1 * b for b in theirs], alternative="greater")
    assert ours.above == pytest.approx(expected.pvalue)
    own = measures.paired_differences([A], [theirs], 1.0)
    shifted = scipy_stats.ttest_rel(A, [b + 1.0 for b in theirs], alternative="greater")
    assert own.above == pytest.approx(shifted.pvalue)


def test_means_without_any_spread_are_as_sure_as_the_number_of_seeds():
    """They were certain: dormant ratios of exactly 0 on two seeds supported or refuted a claim."""
    # Two seeds a side come in 6 orders, ten in 184,756; of two tasks the product.
    equal = measures.shares([[5.0, 5.0]], [[5.0, 5.0]], 0.1)
    assert (equal.above, equal.below) == (1.0, pytest.approx(1 / 6))
    slightly = measures.differences([[5.5, 5.5]] * 2, [[5.0, 5.0]] * 2, 0.25)
    assert (slightly.above, slightly.below) == (pytest.approx(1 / 36), 1.0)
    ten = measures.differences([[0.0] * 10], [[0.0] * 10], 0.05)
    assert (ten.above, ten.below) == (1.0, pytest.approx(1 / 184_756))
    for measure in (measures.differences, measures.paired_differences):
        at_the_limit = measure([[5.5, 5.5]], [[5.0, 5.0]], 0.5)
        assert (at_the_limit.above, at_the_limit.below) == (1.0, 1.0)
    beyond = measures.shares([[560.0, 560.0]], [[0.0, 0.0]], 0.1)
    assert beyond.above == pytest.approx(1 / 6)
    assert math.isnan(beyond.value), "nothing is a share of zero"


def test_pairs_and_levels_without_any_spread_are_as_sure_as_their_signs():
    paired = measures.paired_differences([[5.5] * 3], [[5.0] * 3], 0.25)
    assert (paired.above, paired.below) == (1 / 8, 1.0)
    beside_a_level = measures.differences([[0.0] * 10], [Mean(2, 0.0, 0.0, 0.0)], 0.2)
    assert (beside_a_level.above, beside_a_level.below) == (1.0, 1 / 1024)


# -- spreads --


def test_distances_from_the_median_by_hand():
    # The median of five is a score: its zero is left out. Medians 9.5 and 13.
    assert measures.distances(B) == pytest.approx([0.5, 1.0, 3.5, 5.5])
    # Of four the two inner ones are equal: sqrt 2 times one of them stands for both.
    assert measures.distances(A) == pytest.approx([math.sqrt(2.0), 3.0, 3.0])


def test_the_ratio_of_spreads_by_hand():
    ours = measures.spreads([A], [B], 1.0)
    x = measures.distances(A)
    y = measures.distances(B)
    assert ours.value == pytest.approx(np.mean(x) / np.mean(y))

    # Welch's error with n_a + n_b - 2 degrees of freedom, of 3 and 4 distances.
    error = math.sqrt(np.var(x, ddof=1) / 3 + np.var(y, ddof=1) / 4)
    assert ours.above == pytest.approx(scipy_stats.t.sf((np.mean(x) - np.mean(y)) / error, 5))


def test_spreads_do_not_depend_on_a_tasks_unit():
    one = measures.spreads([A, B], [B, A[::-1]], 1.0)
    other = measures.spreads([A, [7.0 * b + 100.0 for b in B]],
                             [B, [7.0 * a + 100.0 for a in A]], 1.0)  # fmt: skip
    assert one.above == pytest.approx(other.above)


def test_spreads_whose_distances_are_all_alike_are_as_sure_as_their_number():
    # Distances 2 and 2, 1 and 1: the ratio is 2 without any error, one of 6 orders.
    for margin, above, below in ((1.5, 1 / 6, 1.0), (2.0, 1.0, 1.0), (2.5, 1.0, 1 / 6)):
        ours = measures.spreads([[0.0, 2.0, 4.0]], [[0.0, 1.0, 2.0]], margin)
        assert (ours.value, ours.above, ours.below) == (2.0, above, below), margin


def test_nothing_has_a_ratio_to_no_spread():
    assert math.isnan(measures.spreads([[0.0, 2.0, 4.0]], [[1.0, 1.0, 1.0]], 1.0).above)
    still = measures.spreads([[1.0, 1.0, 1.0]], [[0.0, 2.0, 4.0]], 1.0)
    assert (still.value, still.above, still.below) == (0.0, 1.0, 1 / 6)


# -- rates --


def test_equal_rates_are_tested_by_the_pooled_variance():
    # 5 of 10 and 1 of 10: pooled 0.3, variance 0.3 * 0.7 * 2 / 10, times 20 / 19.
    ones = [1.0] * 5 + [0.0] * 5
    few = [1.0] + [0.0] * 9
    z = 0.4 / math.sqrt(0.3 * 0.7 * 2 / 10 * 20 / 19)
    assert measures.rates([ones], [few], 0.0).above == pytest.approx(scipy_stats.norm.sf(z))


def test_restricted_rates_are_the_likeliest_ones():
    # The largest likelihood of 5 of 10 and 3 of 20 among rates that are 0.2 apart, on a grid.
    rates = np.linspace(0.2, 1.0, 800_001)[1:-1]
    other = rates - 0.2
    likelihood = (
        5 * np.log(rates) + 5 * np.log1p(-rates) + 3 * np.log(other) + 17 * np.log1p(-other)
    )
    best = rates[np.argmax(likelihood)]
    variance = best * (1 - best) / 10 + (best - 0.2) * (1.2 - best) / 20
    z = (0.5 - 0.15 - 0.2) / math.sqrt(variance * 30 / 29)
    ours = measures.rates([[1.0] * 5 + [0.0] * 5], [[1.0] * 3 + [0.0] * 17], 0.2)
    assert ours.above == pytest.approx(scipy_stats.norm.sf(z), abs=1e-5)


# -- every measure --


@pytest.mark.parametrize("measure", EACH_MEASURE)
def test_a_single_seed_decides_nothing(measure):
    assert math.isnan(measure([[1.0]], [[0.0]], 0.5).above)
    outcome = rules.above(measure, [[1.0]], [[0.0]], 0.5)
    assert outcome.verdict(outcome.p) == "undecided"
    each = rules.each_below(measure, [[1.0]], [[0.0]], 0.5)
    assert each.verdict(each.p) == "undecided"


def test_equal_rates_without_any_variance_show_nothing():
    for rate in (0.0, 1.0):
        ours = measures.rates([[rate] * 3], [[rate] * 3], 0.0)
        assert (ours.value, ours.above, ours.below) == (0.0, 0.5, 0.5)


def test_no_rate_is_lost_to_rounding():
    """Of 4 in 4 and 1 in 4, the cubic's cosine at a margin of one half is 1 and a little more."""
    for ours, theirs, margin in itertools.product(range(5), range(5), (-0.5, 0.0, 0.5)):
        sides = [[1.0] * ones + [0.0] * (4 - ones) for ones in (ours, theirs)]
        test = measures.rates([sides[0]], [sides[1]], margin)
        assert test.above + test.below == pytest.approx(1.0)
        low, high = interval(measures.rates, [sides[0]], [sides[1]], margin)
        assert -1.0 <= low <= test.value <= high <= 1.0


@pytest.mark.parametrize("measure", EACH_MEASURE)
def test_sides_with_other_tasks_are_an_error(measure):
    task = [0.0, 1.0, 1.0, 0.0]
    with pytest.raises(ValueError, match="zip"):
        measure([task, task], [task], 0.5)
    for rule in (rules.each_above, rules.each_below):
        with pytest.raises(ValueError, match="zip"):
            rule(measure, [task, task], [task], 0.5)
    with pytest.raises(ValueError, match="zip"):
        rules.equivalent(measure, [task, task], [task], 0.5, 1.0)


# -- rules --


def test_above_and_below_mirror_each_other():
    up = rules.above(measures.differences, [A], [B], 1.0)
    down = rules.below(measures.differences, [A], [B], 1.0)
    assert up.p == down.p
    assert (up.leans, down.leans) == ("supported", "refuted")
    assert up.p == pytest.approx(2.0 * measures.differences([A], [B], 1.0).above)


@pytest.mark.parametrize("margin", [1.0, 3.0, 8.0])
def test_task_by_task_ours_is_above_as_theirs_is_below(margin):
    ours, theirs = [A, [20.0, 21.0, 25.0]], [B, [12.0, 18.0, 19.0]]
    up = rules.each_above(measures.differences, ours, theirs, margin)
    down = rules.each_below(measures.differences, theirs, ours, -margin)
    assert (up.p, up.leans, up.task) == (pytest.approx(down.p), down.leans, down.task)


def test_each_task_must_support_and_any_refutes():
    far = [30.0, 31.0, 32.0]
    near = [10.0, 11.0, 12.0]
    low = [1.0, 2.0, 3.0]
    first = measures.differences([far], [near], 1.0)
    second = measures.differences([near], [low], 1.0)
    both = rules.each_above(measures.differences, [far, near], [near, low], 1.0)
    assert (both.leans, both.task) == ("supported", 1)
    assert both.p == pytest.approx(2.0 * second.above)
    assert second.above > first.above

    # One of two tasks refutes: its p value counts twice.
    one = rules.each_above(measures.differences, [far, low], [near, near], 1.0)
    assert (one.leans, one.task) == ("refuted", 1)
    assert one.p == pytest.approx(2.0 * 2.0 * measures.differences([low], [near], 1.0).below)


def test_an_equivalence_is_two_one_sided_tests_on_each_task():
    ours = [10.2, 10.4, 9.9, 10.1]
    theirs = [10.0, 10.1, 9.8, 10.3]
    outcome = rules.equivalent(measures.differences, [ours], [theirs], -0.5, 0.5)
    lower = scipy_stats.ttest_ind(ours, [b - 0.5 for b in theirs], equal_var=False,
                                  alternative="greater").pvalue  # fmt: skip
    upper = scipy_stats.ttest_ind(ours, [b + 0.5 for b in theirs], equal_var=False,
                                  alternative="less").pvalue  # fmt: skip
    assert outcome.p == pytest.approx(max(lower, upper))
    assert outcome.leans == "supported"

    # The 90 percent interval lies inside: the same said otherwise.
    low, high = interval(measures.differences, [ours], [theirs], 0.5, confidence=0.9)
    assert -0.5 < low < high < 0.5

    # A task that is far off refutes it, whatever the other says.
    off = rules.equivalent(measures.differences, [ours, [12.0, 12.1, 12.2]],
                           [theirs, [10.0, 10.1, 10.2]], -0.5, 0.5)  # fmt: skip
    assert (off.leans, off.task) == ("refuted", 1)


def test_a_wide_interval_supports_nothing():
    outcome = rules.equivalent(measures.differences, [[5.0, 15.0]], [[6.0, 14.0]], -1.0, 1.0)
    assert outcome.verdict(outcome.p) == "undecided"


def test_only_a_p_value_below_five_percent_decides():
    outcome = rules.above(measures.differences, [A], [B], 1.0)
    assert outcome.verdict(0.0499) == "supported"
    assert outcome.verdict(0.05) == "undecided"
    assert outcome.verdict(math.nan) == "undecided"
