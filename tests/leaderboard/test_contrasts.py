"""The contrasts that were declared before any run, on scores made by hand."""

import math

import pytest
from scipy import stats as scipy_stats

from helpers.statements import stated
from leaderboard.statistics import contrasts as declared
from leaderboard.statistics.contrasts import FAMILIES
from leaderboard.statistics.scores import scored

MEANS = {"mst": 20.0, "dense": 10.0, "sst": 17.0, "dst": 19.0, "sst-ac": 16.0, "swap": 18.5}
"""Means of three seeds; their scores are the mean, one more, and one less."""


def runs(means, tasks=("dog-run",)):
    """Three seeds of each regime on each task."""
    return [
        stated(regime, seed, mean + offset, task=task)
        for task in tasks
        for regime, mean in means.items()
        for seed, offset in enumerate((-1.0, 0.0, 1.0))
    ]


def contrasts(planned):
    """The declared contrasts of stated runs."""
    return declared.contrasts(scored(planned))


def welch(distance):
    """The p value of two means of three seeds, both of variance 1: standard error sqrt(2/3)."""
    return 2.0 * float(scipy_stats.t.sf(distance / math.sqrt(2.0 / 3.0), 4))


def test_mst_is_compared_with_each_regime_and_holm_adjusts_each_family_by_hand():
    by_name = {contrast.than: contrast for contrast in contrasts(runs(MEANS))}
    assert list(by_name) == ["dense", "sst", "dst", "sst-ac", "swap"]
    for name, contrast in by_name.items():
        distance = MEANS["mst"] - MEANS[name]
        assert contrast.difference.value == pytest.approx(distance)
        assert contrast.difference.p == pytest.approx(welch(distance))

    # Three of a family: the smallest p times three, the next times two, the largest as it is.
    adjusted = {name: contrast.adjusted for name, contrast in by_name.items()}
    assert adjusted["dense"] == pytest.approx(3.0 * welch(10.0))
    assert adjusted["sst"] == pytest.approx(2.0 * welch(3.0))
    assert adjusted["dst"] == pytest.approx(welch(1.0))

    # Two of the controls: dst-ac is not there and does not count.
    assert adjusted["sst-ac"] == pytest.approx(2.0 * welch(4.0))
    assert adjusted["swap"] == pytest.approx(welch(1.5))


def test_an_adjusted_p_is_never_below_that_of_a_clearer_difference():
    means = {"mst": 20.0, "dense": 18.0, "sst": 18.1, "dst": 18.2}
    adjusted = [contrast.adjusted for contrast in contrasts(runs(means))]
    assert welch(2.0) < welch(1.9) < welch(1.8)
    assert adjusted == pytest.approx([3.0 * welch(2.0)] * 3), "though 2 * p and 1 * p are less"


def test_families_are_those_that_were_declared():
    assert FAMILIES == {
        "headline": ("dense", "sst", "dst"),
        "controls at MST's density": ("sst-ac", "dst-ac", "swap"),
    }
    families = {contrast.than: contrast.family for contrast in contrasts(runs(MEANS))}
    for name, family in families.items():
        assert name in FAMILIES[family]


def test_tasks_are_averaged_and_each_is_shown():
    tasks = ("dog-run", "humanoid-run")
    means = {"mst": 20.0, "dense": 10.0}
    higher = [
        stated("mst", seed, 40.0 + offset, task="humanoid-run")
        for seed, offset in enumerate((-1.0, 0.0, 1.0))
    ]
    both = [run for run in runs(means, tasks) if (run.task, run.regime) != (tasks[1], "mst")]

    (contrast,) = contrasts([*both, *higher])
    assert contrast.difference.value == pytest.approx((10.0 + 30.0) / 2.0)
    assert [(task, single.value) for task, single, _ in contrast.tasks] == [
        ("dog-run", pytest.approx(10.0)),
        ("humanoid-run", pytest.approx(30.0)),
    ]
    assert contrast.improvement == 1.0
    assert contrast.correlation == pytest.approx(1.0), "seeds go up and down together"


def test_two_pairs_have_no_correlation_and_equal_scores_have_none_either():
    few = [run for run in runs({"mst": 20.0, "dense": 10.0}) if run.seed < 2]
    (contrast,) = contrasts(few)
    assert math.isnan(contrast.correlation)

    level = [stated("dense", seed, 10.0) for seed in range(3)]
    (contrast,) = contrasts([*runs({"mst": 20.0}), *level])
    assert math.isnan(contrast.correlation)


def test_without_mst_or_with_a_single_seed_nothing_is_compared():
    assert contrasts(runs({"dense": 10.0, "sst": 17.0})) == []
    assert contrasts([run for run in runs(MEANS) if run.seed == 0]) == []

    # A regime that lacks a seed on one task is left out, and does not count for Holm.
    few = [run for run in runs(MEANS) if run.regime != "sst" or run.seed == 0]
    headline = [c for c in contrasts(few) if c.family == "headline"]
    assert [c.than for c in headline] == ["dense", "dst"]
    assert headline[0].adjusted == pytest.approx(2.0 * welch(10.0))


def test_a_failed_run_counts_as_the_floor():
    """Two of the three runs of `dense` diverged."""
    kept = [run for run in runs(MEANS) if run.regime != "dense" or run.seed == 0]
    lost = [stated("dense", seed, None, status="failed") for seed in (1, 2)]
    by_name = {contrast.than: contrast for contrast in contrasts([*kept, *lost])}
    assert by_name["dense"].difference.value == pytest.approx(20.0 - 9.0 / 3.0)


def test_a_regime_with_a_missing_run_is_not_compared_and_still_counts_for_holm():
    kept = [run for run in runs(MEANS) if (run.regime, run.seed) != ("dense", 2)]
    missing = stated("dense", 2, None, status="missing")
    adjusted = {c.than: c.adjusted for c in contrasts([*kept, missing])}
    assert list(adjusted) == ["sst", "dst", "sst-ac", "swap"]
    assert adjusted["sst"] == pytest.approx(3.0 * welch(3.0))

    # Of a plan that is under way it is not missing, only still to come.
    so_far = declared.contrasts(scored([*kept, missing], under_way=True))
    assert [c.than for c in so_far][:2] == ["dense", "sst"]


def test_nothing_is_compared_where_mst_lacks_a_run():
    kept = [run for run in runs(MEANS) if (run.regime, run.seed) != ("mst", 2)]
    assert contrasts([*kept, stated("mst", 2, None, status="missing")]) == []


def test_what_failed_runs_change_is_shown_beside():
    planned = [
        *(stated("mst", seed, 20.0 + seed) for seed in range(4)),
        *(stated("dense", seed, 30.0 + seed) for seed in range(2)),
        *(stated("dense", seed, None, status="failed") for seed in (2, 3)),
        *(stated("sst", seed, 10.0 + seed) for seed in range(4)),
    ]
    dense, sst = contrasts(planned)
    assert dense.difference.value == pytest.approx(21.5 - 61.0 / 4.0), "two count as the floor"
    assert dense.finished.value == pytest.approx(21.5 - 30.5)
    assert sst.finished is None, "no run of either regime failed"

    all_failed = [run for run in planned if run.regime != "dense" or run.seed >= 2]
    dense, _ = contrasts(all_failed)
    assert math.isnan(dense.finished.value), "nothing is left to compare"
