"""Intervals beside those that SciPy and formulas give."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from helpers.verdicts import EACH_MEASURE
from leaderboard.statistics import measures
from leaderboard.statistics.intervals import interval

A = [10.0, 12.0, 14.0, 16.0]
B = [9.0, 9.5, 10.5, 15.0, 6.0]


def ends_of(measure, ours, theirs, confidence=0.95, margin=0.1):
    return interval(measure, [ours], [theirs], margin, confidence)


def close(ends):
    return pytest.approx(ends, abs=1e-6)


def test_of_a_difference_it_is_welchs():
    expected = scipy_stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.95)
    assert ends_of(measures.differences, A, B) == close(tuple(expected))
    paired = scipy_stats.ttest_rel(A, B[:4]).confidence_interval(0.9)
    ends = ends_of(measures.paired_differences, A, B[:4], confidence=0.9)
    assert ends == close(tuple(paired))


def fieller(a, b, variance_a, variance_b, covariance, quantile):
    """Ends of the ratio a / b."""
    square = b**2 - quantile**2 * variance_b
    linear = a * b - quantile**2 * covariance
    constant = a**2 - quantile**2 * variance_a
    root = math.sqrt(linear**2 - square * constant)
    return (linear - root) / square, (linear + root) / square


def test_of_a_share_it_is_fiellers():
    """Degrees of freedom of pairs do not depend on the ratio, so that the formula is exact."""
    a, b = np.array(A), np.array(B[:4])
    (var_a, covariance), (_, var_b) = np.cov(a, b) / 4
    quantile = scipy_stats.t.ppf(0.975, 3)
    low, high = fieller(a.mean(), b.mean(), var_a, var_b, covariance, quantile)
    assert ends_of(measures.paired_shares, A, B[:4]) == close((low - 1.0, high - 1.0))


def test_of_spreads_it_is_fiellers():
    x, y = np.array(measures.distances(A)), np.array(measures.distances(B))
    errors = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    quantile = scipy_stats.t.ppf(0.95, len(x) + len(y) - 2)
    ends = fieller(x.mean(), y.mean(), *errors, 0.0, quantile)
    assert ends_of(measures.spreads, A, B, confidence=0.9) == close(ends)


def test_a_ratio_to_what_may_be_zero_has_no_upper_end():
    low, high = ends_of(measures.shares, A, [-1.0, 2.0, 0.5])
    assert 0.0 < low < high == math.inf
    neither = ends_of(measures.shares, [-2.0, 2.0, 1.0], [-1.0, 2.0, 0.5])
    assert neither == (-math.inf, math.inf), "and none at all where ours may be zero, too"
    spreads = ends_of(measures.spreads, [0.0, 1.0, 3.0], [0.0, 0.1, 9.0])
    assert spreads == (0.0, math.inf), "no spread is less than none"


def test_rates_of_nothing_and_of_everything_have_intervals():
    low, high = ends_of(measures.rates, [0.0] * 10, [0.0] * 10)
    assert -0.35 < low < -0.25, "none of ten"
    assert high == close(-low)
    assert ends_of(measures.rates, [1.0] * 10, [0.0] * 10)[1] == 1.0


def test_few_seeds_without_any_spread_bound_nothing():
    """Two seeds a side come in 6 orders; ten in 184,756."""
    assert ends_of(measures.differences, [5.0] * 2, [4.0] * 2) == (-math.inf, math.inf)
    assert ends_of(measures.shares, [5.0] * 10, [4.0] * 10) == close((0.25, 0.25))


def test_what_cannot_be_compared_has_none():
    assert np.isnan(ends_of(measures.differences, [1.0], [0.0])).all()


def test_a_baseline_near_zero_does_not_hide_what_the_test_shows():
    """It was supported beside an interval from -inf to inf."""
    ours, theirs = [560.0, 560.5, 559.0], [0.0, 0.0, 5.0]
    assert measures.shares([ours], [theirs], 0.05).above < 1e-5
    low, high = ends_of(measures.shares, ours, theirs, margin=0.05)
    assert 10.0 < low < high == math.inf


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_an_interval_is_in_any_unit(unit):
    ours, theirs = ([unit * value for value in values] for values in (A, B))
    ends = ends_of(measures.differences, A, B, margin=1.0)
    found = ends_of(measures.differences, ours, theirs, margin=unit)
    assert found == pytest.approx([unit * end for end in ends], rel=1e-6)


@pytest.mark.parametrize("measure", [measures.shares, measures.paired_shares])
def test_no_interval_contradicts_its_test_wherever_the_means_are(measure):
    generator = np.random.default_rng(2)
    for _ in range(100):
        mean_a, mean_b = generator.choice([-20.0, -1.0, 0.0, 1.0, 20.0], 2)
        ours = (mean_a + 3.0 * generator.standard_normal(5)).tolist()
        theirs = (mean_b + 3.0 * generator.standard_normal(5)).tolist()
        for margin in (-0.4, -0.05, 0.05, 0.4):
            low, high = ends_of(measure, ours, theirs, margin=margin)
            test = measure([ours], [theirs], margin)
            assert (low > test.limit) == (test.above < 0.025), (ours, theirs, margin)
            assert (high < test.limit) == (test.below < 0.025), (ours, theirs, margin)


@pytest.mark.parametrize("measure", EACH_MEASURE)
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_it_ends_where_its_test_decides(measure, confidence):
    generator = np.random.default_rng(1)
    if measure is measures.rates:
        ours = (generator.random((2, 9)) < 0.6).astype(float).tolist()
        theirs = (generator.random((2, 9)) < 0.3).astype(float).tolist()
    else:
        ours = (20.0 + 3.0 * generator.standard_normal((2, 9))).tolist()
        theirs = (18.0 + 2.0 * generator.standard_normal((2, 9))).tolist()
    for margin in map(float, np.linspace(-0.4, 2.5, 59)):
        low, high = interval(measure, ours, theirs, margin, confidence)
        test = measure(ours, theirs, margin)
        assert (low > test.limit) == (test.above < (1.0 - confidence) / 2.0), margin
        assert (high < test.limit) == (test.below < (1.0 - confidence) / 2.0), margin
