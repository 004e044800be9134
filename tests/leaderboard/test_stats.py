"""Statistics against hand-made tables and SciPy's own."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from leaderboard.statistics import stats

A, B = [10.0, 12.0, 14.0, 16.0], [9.0, 9.5, 10.5, 15.0, 6.0]


def test_one_task_is_welchs_test():
    ours = stats.difference([A], [B])
    expected = scipy_stats.ttest_ind(A, B, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (ours.value, ours.p) == pytest.approx((3.0, expected.pvalue), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_two_tasks_by_hand():
    # Means 13 and 10, 20 and 17: differences 3 and 3, mean 3. The squared error of a mean is its
    # variance over its seeds; over two tasks, a quarter of it counts.
    ours = stats.difference([A, [19.0, 21.0]], [B, [16.0, 18.0]])
    terms = [(20 / 3 / 4 / 4, 4), (10.625 / 5 / 4, 5), (1.0 / 4, 2), (1.0 / 4, 2)]
    variance = sum(term for term, _ in terms)
    freedom = variance**2 / sum(term**2 / (n - 1) for term, n in terms)
    half = scipy_stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert (ours.value, ours.low, ours.high) == pytest.approx(
        (3.0, 3.0 - half, 3.0 + half), abs=1e-9
    )


def test_the_mean_of_a_suite_by_hand():
    one = stats.suite_mean([A])
    assert (one.n, one.mean) == (4, 13.0)
    assert one.half_width == pytest.approx(stats.mean_interval(A).half_width)

    # The means of two tasks are 13 and 20; a quarter of each squared error counts.
    two = stats.suite_mean([A, [19.0, 21.0]])
    terms = [(20 / 3 / 4 / 4, 4), (1.0 / 4, 2)]
    variance = sum(term for term, _ in terms)
    freedom = variance**2 / sum(term**2 / (n - 1) for term, n in terms)
    half = scipy_stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert (two.n, two.mean, two.half_width) == (6, 16.5, pytest.approx(half))


def test_one_seed_gives_no_interval():
    single = stats.difference([[1.0]], [[2.0, 3.0]])
    assert single.value == -1.5
    assert math.isnan(single.p)
    assert math.isnan(single.low)
    assert math.isnan(stats.suite_mean([[1.0], [2.0, 4.0]]).half_width)


def test_equal_scores_differ_by_nothing_surely():
    assert stats.difference([[5.0, 5.0]], [[5.0, 5.0]]) == stats.Difference(0.0, 0.0, 0.0, 1.0)
    assert stats.difference([[6.0, 6.0]], [[5.0, 5.0]]).p == 0.0


def test_holm_and_benjamini_hochberg_by_hand():
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    with_nan = stats.holm([0.01, math.nan])
    assert with_nan[0] == pytest.approx(0.02), "a test that could not be made counts"

    values = [0.01, 0.04, 0.03, 0.005]
    expected = scipy_stats.false_discovery_control(values)
    assert stats.benjamini_hochberg(values) == pytest.approx(expected)


def test_the_interquartile_mean_is_scipys_trimmed_mean():
    for n in range(1, 23):
        scores = np.random.default_rng(n).normal(size=n)
        assert float(stats.iqm(scores)) == pytest.approx(scipy_stats.trim_mean(scores, 0.25))


def test_the_bootstrap_is_scipys():
    scores = np.random.default_rng(1).normal(size=12).tolist()
    ours = stats.bootstrap([scores], lambda drawn: drawn[0].mean(1))
    generator = np.random.default_rng(5)
    theirs = scipy_stats.bootstrap(
        (scores,), np.mean, method="percentile", n_resamples=20000, rng=generator
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.03)
    assert ours == stats.bootstrap([scores], lambda drawn: drawn[0].mean(1)), "the same each time"


def test_probability_of_improvement_is_mann_whitneys():
    u = scipy_stats.mannwhitneyu(A, B).statistic
    assert stats.improvement([A], [B]) == pytest.approx(u / (len(A) * len(B)))
    assert stats.improvement([[1.0]], [[1.0]]) == 0.5
    low, high = stats.improvement_interval([A], [B])
    assert low < stats.improvement([A], [B]) < high <= 1.0


def test_the_interval_of_improvement_counts_pairs_of_drawn_seeds():
    ours, theirs = [[1.0, 4.0, 4.0], [2.0, 7.0]], [[4.0, 0.0], [7.0, 1.0, 2.0]]

    def share(drawn):
        each = [
            np.mean(np.sign(a[:, :, None] - b[:, None, :]), axis=(1, 2)) / 2 + 0.5
            for a, b in zip(drawn[:2], drawn[2:], strict=True)
        ]
        return np.mean(each, axis=0)

    found = stats.improvement_interval(ours, theirs, seed=3)
    assert found == pytest.approx(stats.bootstrap([*ours, *theirs], share, seed=3))
    assert 0.0 < found[0] < stats.improvement(ours, theirs) < found[1] < 1.0


def test_profile_and_collapse_by_hand():
    assert stats.profile([[1.0, 3.0], [2.0, 2.0, 2.0, 9.0]], [0.0, 1.5, 2.0, 9.0]) == [
        1.0,
        0.75,
        0.375,
        0.0,
    ]
    assert stats.collapsed([100.0, 90.0, 8.0, 80.0]) == 1, "the median is 85"


def test_evidence_grows_by_hand():
    # One pair at half of the scale: (1 + b/2) and (1 - b/2) have mean 1. A second adds to it.
    assert stats.e_values([0.5], 1.0) == pytest.approx([1.0])
    expected = np.mean([(1 + s * b / 2) ** 2 for s in (1, -1) for b in stats.BETS])
    assert stats.e_values([5.0, 5.0], 10.0)[-1] == pytest.approx(expected)
    assert stats.e_values([99.0], 1.0) == stats.e_values([1.0], 1.0), "clipped"


def test_looking_after_every_pair_rarely_sees_what_is_not_there():
    generator = np.random.default_rng(0)
    alarms = sum(max(stats.e_values(generator.normal(size=20), 2.0)) >= 20.0 for _ in range(1000))
    assert alarms <= 50, "at most 5 percent, whenever one stops"


def test_evidence_has_mean_one_where_its_scale_is_fixed_and_not_where_scores_decide_it():
    # An audit's finding: a scale of twice the spread of one side's own scores makes no e value.
    generator = np.random.default_rng(0)
    fixed = []
    own = []
    for _ in range(10_000):
        a, b = generator.normal(size=(2, 5))
        fixed.append(stats.e_values((b - a).tolist(), 2.0)[-1])
        own.append(stats.e_values((b - a).tolist(), 2.0 * float(np.std(a, ddof=1)))[-1])
    error = np.std(fixed) / math.sqrt(len(fixed))
    assert abs(np.mean(fixed) - 1.0) < 4.0 * error
    assert np.mean(own) - 1.0 > 3.0 * np.std(own) / math.sqrt(len(own))
