"""The comparison table and its figures, by hand."""

import math

import pytest

from helpers.statements import MODULES, stated
from leaderboard.pages.table import comparison
from leaderboard.statistics.stats import mean_interval


def test_a_t_interval_by_hand():
    # 1, 2, 3: mean 2, deviation 1, t(0.975, 2) = 4.302653, half width 4.302653 / sqrt(3)
    mean = mean_interval([1.0, 2.0, 3.0])
    assert (mean.n, mean.mean, mean.deviation) == (3, 2.0, 1.0)
    assert mean.half_width == pytest.approx(2.484138, abs=1e-6)


def test_one_seed_has_no_interval():
    mean = mean_interval([5.0])
    assert mean.mean == 5.0
    assert math.isnan(mean.half_width)


def test_failed_and_missing_runs_are_shown_and_stay_in_the_denominator():
    runs = [
        stated("mst", 0, 10.0),
        stated("mst", 1, None, status="failed"),
        stated("mst", 2, None, status="missing"),
        stated("sst", 0, None, status="missing"),
    ]
    rows = {}
    for line in comparison(runs, MODULES).splitlines():
        cells = line.split()
        if cells[0] == "dog-run":
            rows[cells[1]] = cells[2:]

    # Figures of one seed; finished of all runs, densities, failed and missing runs.
    of_one_seed = ["10.0", "-", "10.0", "-", "10.0", "10.0", "0"]
    assert rows["mst"] == [*of_one_seed, "1/3", "0.40/0.40/0.40", "1", "1"]
    assert rows["sst"] == ["-"] * 6 + ["-", "0/1", "-", "0", "1"]
