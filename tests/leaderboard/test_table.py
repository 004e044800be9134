"""The comparison table and its figures, by hand."""

import math

import pytest

from helpers.statements import MODULES, stated
from leaderboard.pages.table import comparison, comparison_columns, rows_of
from leaderboard.statistics.scores import scored
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


def rows(runs):
    """The table, a dict of columns for each row, by regime."""
    columns = comparison_columns(runs, MODULES)
    titles = [column.title for column in columns]
    lines = [dict(zip(titles, cells, strict=True)) for cells in rows_of(columns)]
    return {line["regime"]: line for line in lines}


def test_failed_and_missing_runs_count_as_the_floor_beside_the_mean_without_them():
    runs = [
        stated("mst", 0, 10.0),
        stated("mst", 1, None, status="failed"),
        stated("mst", 2, None, status="missing"),
        stated("sst", 0, None, status="missing"),
        stated("dst", 0, 7.0),
    ]
    table = rows(scored(runs))

    mst = table["mst"]
    assert (mst["mean score"], mst["finished only"], mst["min"]) == ("3.3", "10.0", "0.0")
    assert (mst["seeds"], mst["failed"], mst["missing"]) == ("1/3", "1", "1")
    assert (mst["collapsed"], mst["density e/c/a"]) == ("0", "0.40/0.40/0.40")
    assert (table["sst"]["mean score"], table["sst"]["finished only"]) == ("0.0", "-")
    assert (table["dst"]["mean score"], table["dst"]["finished only"]) == ("7.0", "")


def test_runs_that_are_still_to_come_are_no_zeros():
    runs = [stated("mst", 0, 10.0), stated("mst", 1, None, status="missing")]
    runs += [stated("mst", 2, None, status="failed"), stated("sst", 0, None, status="missing")]
    table = rows(scored(runs, under_way=True))
    mst = table["mst"]
    assert (mst["mean score"], mst["finished only"]) == ("5.0", "10.0"), "the failed one counts"
    assert (mst["seeds"], mst["failed"], mst["missing"], mst["to come"]) == ("1/3", "1", "0", "1")
    assert table["sst"]["mean score"] == "-"


def test_scores_measured_anew_stand_beside_the_claims():
    runs = [stated("mst", 0, 999.0), stated("mst", 1, 999.0), stated("sst", 0, 50.0)]
    fresh = {"dog-run/mst/0": 100.0, "dog-run/mst/1": 200.0, "dog-run/sst/0": 51.0}
    table = rows(scored(runs, fresh))
    assert (table["mst"]["mean score"], table["mst"]["claimed"]) == ("150.0", "999.0")
    assert "claimed" not in rows(scored(runs))["mst"]


def test_the_table_as_text_has_a_line_for_each_group():
    text = comparison(scored([stated("mst", 0, 10.0), stated("sst", 0, 11.0)]), MODULES)
    assert len(text.splitlines()) == 4
    assert "finished only" not in text, "nothing was lost"
