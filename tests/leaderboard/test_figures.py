"""Figures of single runs, by hand."""

import pytest

from helpers.statements import stated
from leaderboard.formats.records import EvaluationRecord
from leaderboard.statistics.figures import figures, mean_height, slope
from leaderboard.statistics.scores import scored

BUDGET = 400


def evaluation(step, mean, rank):
    """An evaluation of two episodes with one diagnostic."""
    return EvaluationRecord(
        kind="evaluation",
        before="",
        number=step // 100,
        agent_step=step // 2,
        environment_step=step,
        diagnostics={"encoder": {"srank": rank}} if rank is not None else {},
        updates={},
        rewires={},
        returns=(mean - 1.0, mean + 1.0),
    )


CURVE = [
    evaluation(0, 10.0, None),
    evaluation(100, 30.0, 50.0),
    evaluation(200, 50.0, 48.0),
    evaluation(300, 50.0, 40.0),
    evaluation(400, 70.0, 42.0),
]
NAMES = ["score", "spread", "failures", "last", "auc", "encoder.srank", "slope:encoder.srank"]


def of(status, score, curve, under_way=False):
    """All figures of a run."""
    (run,) = scored([stated("mst", 0, score, status=status)], under_way=under_way)
    return figures(NAMES, run, curve, BUDGET)


def test_a_finished_run_has_every_figure():
    # Trapezoids of 100 steps: 20, 40, 50, 60. Ranks 50, 48, 40, 42 at -150, -50, 50 and 150 steps
    # from their middle: -7500 - 2400 + 2000 + 6300 = -1600, over 50,000 a step.
    assert of("finished", 72.0, CURVE) == {
        "score": 72.0,
        "spread": 72.0,
        "failures": 0.0,
        "last": 70.0,
        "auc": pytest.approx((20.0 + 40.0 + 50.0 + 60.0) / 4.0),
        "encoder.srank": 42.0,
        "slope:encoder.srank": pytest.approx(400.0 * -1600.0 / 50_000.0),
    }


def test_a_failed_run_is_at_the_floor_from_where_it_failed():
    values = of("failed", None, CURVE[:3])
    assert values == {
        "score": 0.0,
        "spread": 0.0,
        "failures": 1.0,
        "last": 0.0,
        "auc": pytest.approx((20.0 + 40.0) / 4.0),
        "encoder.srank": 48.0,
    }, "two ranks have no slope"
    assert of("failed", None, [])["auc"] == 0.0


def test_a_run_collapsed_below_a_twentieth_of_its_tasks_range():
    assert of("finished", 50.0, CURVE)["failures"] == 1.0
    assert of("finished", 50.1, CURVE)["failures"] == 0.0


def test_a_run_that_is_to_come_has_no_figure():
    assert of("missing", None, [], under_way=True) == {}
    assert "last" not in of("finished", 72.0, [])


def test_a_diagnostic_that_ends_without_a_number_is_none():
    # Was: the slope of what came before, as of a gradient until it vanished.
    values = of("finished", 72.0, [*CURVE[:4], evaluation(400, 70.0, None)])
    assert not {"encoder.srank", "slope:encoder.srank"} & set(values)


def test_a_failed_run_has_the_last_diagnostic_that_it_had():
    assert of("failed", None, [*CURVE[:3], evaluation(300, 0.0, None)])["encoder.srank"] == 48.0


def test_absurd_figures_are_left_out():
    (run,) = scored([stated("mst", 0, 5.0)])
    for absurd in (1e300, -1e13):
        curve = [evaluation(0, 1.0, absurd)]
        assert figures(["encoder.srank"], run, curve, BUDGET) == {}
    curve = [evaluation(0, 1.0, 1e12)]
    assert figures(["encoder.srank"], run, curve, BUDGET) == {"encoder.srank": 1e12}


def test_a_slope_is_least_squares():
    assert slope([0.0, 1.0, 2.0], [5.0, 4.0, 3.0], 10.0) == pytest.approx(-10.0)
    assert slope([0.0, 1.0], [5.0, 4.0], 10.0) is None
    assert slope([1.0, 1.0, 1.0], [5.0, 4.0, 3.0], 10.0) is None


def test_after_its_last_point_a_curve_is_level():
    assert mean_height([0.0, 50.0], [0.0, 10.0], 10.0, 100.0) == pytest.approx(2.5 + 5.0)
    assert mean_height([0.0, 50.0], [0.0, 10.0], 0.0, 100.0) == pytest.approx(2.5)
