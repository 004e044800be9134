"""The figures of one run that claims are about, from its score and its learning curve.

A run without a score counts as its task's floor wherever returns are compared, so that bad seeds do
not leave a mean. Diagnostics have no floor: those of a run that failed are the last that it had. A
run that finished has a diagnostic if its last evaluation has it: a gradient that vanished and so
has no logarithm leaves no slope of the part before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from leaderboard.formats.catalogue import return_range
from leaderboard.formats.records import EvaluationRecord
from leaderboard.formats.suite import SLOPE
from leaderboard.statistics.scores import Scored

COLLAPSED = 0.05
"""Share of a task's range above its floor up to which a final policy has collapsed. It is fixed
beforehand; a share of the seeds' median would fall with them."""
LARGEST = 1e12
"""Figures beyond it are left out: a forger can sign any number."""


def figures(
    names: Iterable[str], run: Scored, evaluations: Sequence[EvaluationRecord], budget: int
) -> dict[str, float]:
    """Name -> figure, for those that the run has. `budget`: environment steps of a run."""
    values: dict[str, float] = {}
    for name in names:
        value = _figure(name, run, evaluations, budget)
        if value is not None and abs(value) <= LARGEST:
            values[name] = value
    return values


def _figure(
    name: str, run: Scored, evaluations: Sequence[EvaluationRecord], budget: int
) -> float | None:
    if name in ("score", "spread"):
        return run.counted
    if name == "failures":
        return failed(run)
    if name == "auc":
        return area(run, evaluations, budget)
    if name == "last":
        return last(run, evaluations)
    diagnostic = name.removeprefix(SLOPE)
    if not (run.lost or _diagnostics(diagnostic, evaluations[-1:])):
        return None
    steps, values = series(diagnostic, evaluations)
    if name.startswith(SLOPE):
        return slope(steps, values, budget)
    return values[-1] if values else None


def failed(run: Scored) -> float | None:
    """1 for a run that failed or whose final policy collapsed, else 0; None: it is to come."""
    if run.counted is None:
        return None
    low, high = return_range(run.task)
    return float(run.lost or run.counted <= low + COLLAPSED * (high - low))


def last(run: Scored, evaluations: Sequence[EvaluationRecord]) -> float | None:
    """Mean return of the last evaluation; the floor of a run that failed."""
    if run.lost:
        return run.counted
    return evaluations[-1].mean_return if evaluations else None


def area(run: Scored, evaluations: Sequence[EvaluationRecord], budget: int) -> float | None:
    """Mean height of the learning curve over the budget: its area by trapezoids over the budget.

    What comes before the first evaluation is as high as it. After the last one, a run that failed
    is at the floor, any other as high as its last evaluation.
    """
    if run.lost and not evaluations:
        return run.counted
    if run.counted is None or not evaluations:
        return None
    steps = [float(evaluation.environment_step) for evaluation in evaluations]
    heights = [evaluation.mean_return for evaluation in evaluations]
    end = run.counted if run.lost else heights[-1]
    return mean_height([0.0, *steps], [heights[0], *heights], end, float(budget))


def mean_height(
    steps: Sequence[float], heights: Sequence[float], end: float, budget: float
) -> float:
    """Area under the line through the points, and at `end` from the last to `budget`, over it."""
    trapezoids = [
        (steps[i + 1] - steps[i]) * (heights[i] + heights[i + 1]) / 2.0
        for i in range(len(steps) - 1)
    ]
    rest = max(0.0, budget - steps[-1])
    return (math.fsum(trapezoids) + rest * end) / max(budget, steps[-1])


def slope(steps: Sequence[float], values: Sequence[float], budget: float) -> float | None:
    """Least-squares change of the values over `budget` steps; None below three values."""
    if len(values) < 3:
        return None
    centre = math.fsum(steps) / len(steps)
    distances = [step - centre for step in steps]
    square = math.fsum(distance**2 for distance in distances)
    if square == 0.0:
        return None
    product = math.fsum(distance * value for distance, value in zip(distances, values, strict=True))
    return budget * product / square


def series(name: str, evaluations: Iterable[EvaluationRecord]) -> tuple[list[float], list[float]]:
    """Environment steps and values of a diagnostic, where it was measured."""
    points = _diagnostics(name, evaluations)
    return [step for step, _ in points], [value for _, value in points]


def _diagnostics(name: str, evaluations: Iterable[EvaluationRecord]) -> list[tuple[float, float]]:
    """Environment step and value of MODULE.DIAGNOSTIC at each evaluation that has it."""
    module, _, figure = name.partition(".")
    points = list[tuple[float, float]]()
    for evaluation in evaluations:
        value = evaluation.diagnostics.get(module, {}).get(figure)
        if value is not None and abs(value) <= LARGEST:
            points.append((float(evaluation.environment_step), value))
    return points
