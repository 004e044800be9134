"""Scores by size: what a line is, and when there is a chart."""

from dataclasses import replace

import pytest

from harness.planning.making import make_plan
from harness.planning.reader import load
from leaderboard.formats.document import parse
from leaderboard.formats.plan import Plan
from leaderboard.pages import sizes
from leaderboard.pages.answer import answer
from leaderboard.pages.sizes import by_size, lines
from leaderboard.statistics.scores import Scored


def planned(name):
    """The plan of a shipped suite, as an entry states it."""
    return parse(Plan, make_plan(load(name)).canonical(), "plan.json")


def standings(plan):
    """Every run of a plan scores 100 and its seed, and 10 more with each regime in turn."""
    regimes = list(dict.fromkeys(run.regime for run in plan.runs))
    runs = [
        Scored(run.task, run.regime, run.seed, "finished", score, score, score, {})
        for run in plan.runs
        for score in [100.0 + 10.0 * regimes.index(run.regime) + run.seed]
    ]
    return answer(runs, regimes, []).standings


@pytest.fixture(scope="module")
def plan():
    return planned("scale-small")


def test_a_line_is_one_way_to_train_from_its_smallest_network_up(plan):
    found = lines(plan, standings(plan))
    assert [line.name for line in found] == ["dense", "sst", "dst", "mst"]
    dense = found[0].points
    assert [point.regime for point in dense] == ["dense-1x", "dense-2x", "dense-4x", "dense-8x"]
    assert [point.parameters for point in dense] == [17_974, 65_574, 249_862, 974_790]
    assert [point.parameters for point in found[3].points] == [
        point.parameters for point in dense
    ], "before pruning"
    assert found[3].points[0].active == 12_983


def test_its_figures_stand_in_a_table_too(plan):
    drawing = by_size(plan, standings(plan))
    rows = drawing.figures.rows
    assert len(rows) == 16
    assert rows[0][:4] == ["dense", "dense-1x", "17,974", "17,974"]
    svg = drawing.svg
    assert svg.count("<title>") == 16
    for line in ("dense", "sst", "dst", "mst"):
        assert f">{line}</text>" in svg, "a legend of its own"


def test_a_suite_of_one_size_has_no_chart():
    small = planned("dmc-small")
    # dense and dense-matched are one way to train, of two sizes: one line compares nothing.
    assert [line.name for line in lines(small, standings(small))] == ["dense"]
    assert by_size(small, standings(small)) is None


@pytest.mark.parametrize(
    "changed", [{"blocks": {"critic": "T4"}}, {"settings": {"width": 64, "critic_lr": 0.01}}]
)
def test_other_blocks_or_settings_are_another_way_to_train(plan, changed):
    group = "finger-spin/dense-2x"
    own = {**plan.own, group: replace(plan.own[group], **changed)}
    dense = lines(replace(plan, own=own), standings(plan))[0]
    assert "dense-2x" not in [point.regime for point in dense.points]


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["dense-1x", "dense-2x"], "dense"),
        (["dense-w16", "dense-w128", "dense-w1024"], "dense"),
        (["mst", "mst-3x"], "mst"),
        (["mst-60-1x", "mst-60-3x"], "mst-60"),
        (["small", "large"], ""),
    ],
)
def test_a_line_is_named_by_whole_words(names, name):
    assert sizes._common(names) == name


def test_a_regime_without_scores_is_not_on_its_line(plan):
    some = [row for row in standings(plan) if row.regime != "mst-4x"]
    assert [point.regime for point in lines(plan, some)[3].points] == ["mst-1x", "mst-2x", "mst-8x"]


def test_lines_that_begin_alike_are_told_apart(plan):
    renamed = {"dense-1x": "mst-0x", "dense-8x": "mst-9x"}

    def regime(name):
        return renamed.get(name, name)

    def groups(of):
        return {f"finger-spin/{regime(name.partition('/')[2])}": of[name] for name in of}

    other = replace(
        plan,
        runs=tuple(replace(run, regime=regime(run.regime)) for run in plan.runs),
        regimes={regime(name): triples for name, triples in plan.regimes.items()},
        sizes=groups(plan.sizes),
        networks=groups(plan.networks),
        own=groups(plan.own),
    )
    rows = [row for row in standings(other) if row.regime not in ("dense-2x", "dense-4x")]
    names = [line.name for line in lines(other, rows)]
    assert sorted(names) == ["dst-1x", "mst-0x", "mst-1x", "sst-1x"]
