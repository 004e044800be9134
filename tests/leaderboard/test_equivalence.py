"""The equivalence test of retrained runs, against hand-made figures and simulation."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from leaderboard.statistics.equivalence import equivalence, equivalence_power


def test_the_interval_and_the_margin_by_hand():
    # Differences 1, 2, 3: mean 2, deviation 1, t(0.95, 2) = 2.919986; a tenth of 100 is 10.
    outcome = equivalence([101.0, 102.0, 103.0], [100.0, 100.0, 100.0])
    half = 2.919986 / math.sqrt(3.0)
    assert (outcome.runs, outcome.difference, outcome.margin) == (3, 2.0, 10.0)
    assert (outcome.low, outcome.high) == pytest.approx((2.0 - half, 2.0 + half), abs=1e-5)
    assert outcome.passed


def test_it_is_two_one_sided_t_tests():
    generator = np.random.default_rng(0)
    for _ in range(50):
        entry = generator.normal(500, 30, 6)
        retrained = entry + generator.normal(10, 30, 6)
        outcome = equivalence(retrained.tolist(), entry.tolist())
        gaps = retrained - entry
        above = scipy_stats.ttest_1samp(gaps, -outcome.margin, alternative="greater").pvalue
        below = scipy_stats.ttest_1samp(gaps, outcome.margin, alternative="less").pvalue
        assert outcome.passed == (max(above, below) < 0.05)


def test_noise_or_a_clear_loss_does_not_pass():
    assert not equivalence([300.0, 700.0, 500.0], [500.0, 500.0, 500.0]).passed
    assert not equivalence([440.0, 441.0, 442.0], [500.0, 500.0, 500.0]).passed
    assert not equivalence([560.0, 559.0, 558.0], [500.0, 500.0, 500.0]).passed, "nor a clear gain"


def test_fewer_than_three_runs_are_no_test():
    two = equivalence([500.0, 500.0], [500.0, 500.0])
    assert (two.difference, two.low, two.high, two.power) == (0.0, None, None, 0.0)
    assert not two.passed
    assert not equivalence([], []).passed


def test_equal_scores_pass_unless_all_are_zero():
    assert equivalence([5.0] * 3, [5.0] * 3).passed
    assert equivalence([5.0] * 3, [5.0] * 3).power == 1.0
    assert not equivalence([0.0] * 3, [0.0] * 3).passed, "a tenth of nothing allows nothing"


@pytest.mark.parametrize(("count", "deviation"), [(3, 20.0), (5, 40.0), (10, 60.0)])
def test_the_power_is_the_share_that_passes(count, deviation):
    generator = np.random.default_rng(1)
    gaps = generator.normal(0.0, deviation, (100_000, count))
    half = scipy_stats.t.ppf(0.95, count - 1) * gaps.std(axis=1, ddof=1) / math.sqrt(count)
    passed = np.abs(gaps.mean(axis=1)) + half < 50.0
    assert equivalence_power(deviation, count, 50.0) == pytest.approx(passed.mean(), abs=0.01)
