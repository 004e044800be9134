"""The comparison table and its figures, by hand."""

import math

import pytest

from helpers.statements import MODULES, stated
from leaderboard.pages.table import comparison
from leaderboard.statistics.stats import mean_interval


def test_a_t_interval_by_hand():
    # 1, 2, 3: mean 2, deviation 1, t(0.975, 2) = 4.302653, half width 4.302653 / sqrt(3)
    found = mean_interval([1.0, 2.0, 3.0])
    assert (found.n, found.mean, found.deviation) == (3, 2.0, 1.0)
    assert found.half_width == pytest.approx(2.484138, abs=1e-6)


def test_one_seed_has_no_interval():
    found = mean_interval([5.0])
    assert found.mean == 5.0
    assert math.isnan(found.half_width)


def test_failed_and_missing_runs_are_shown_and_stay_in_the_denominator():
    runs = [
        stated("mst", 0, 10.0),
        stated("mst", 1, None, status="failed"),
        stated("mst", 2, None, status="missing"),
        stated("sst", 0, None, status="missing"),
    ]
    lines = comparison(runs, MODULES).splitlines()
    mst = next(line.split() for line in lines if "mst" in line)
    assert mst == [
        "dog-run",
        "mst",
        "10.0",
        "-",
        "10.0",
        "-",
        "10.0",
        "10.0",
        "0",
        "1/3",
        "0.40/0.40/0.40",
        "1",
        "1",
    ]
    sst = next(line.split() for line in lines if "sst" in line)
    assert sst == ["dog-run", "sst", "-", "-", "-", "-", "-", "-", "-", "0/1", "-", "0", "1"]
