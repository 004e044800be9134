"""Comparisons that were declared before any run: MST against headline regimes and controls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard.statistics.scores import Scored
from leaderboard.statistics.stats import (
    FEW,
    NOTHING,
    Difference,
    benjamini_hochberg,
    difference,
    holm,
    improvement,
    improvement_interval,
)

FAMILIES = {
    "headline": ("dense", "sst", "dst"),
    "controls at MST's density": ("sst-ac", "dst-ac", "swap"),
}
"""Family -> regimes that MST is compared with; Holm adjusts each family by itself."""
OURS = "mst"

Scores = dict[tuple[str, str, int], float]
"""(task, regime, seed) -> score."""


@dataclass(frozen=True)
class Contrast:
    """MST minus another regime, on the mean over tasks."""

    family: str
    than: str
    difference: Difference
    finished: Difference | None
    """The same without failed runs; None where none failed of either regime."""
    adjusted: float
    """Holm's p within the family."""
    improvement: float
    """Probability of improvement."""
    improvement_interval: tuple[float, float] | None
    """A bootstrap interval; None below FEW seeds of one of the two on some task."""
    correlation: float
    """Correlation between scores of equal seeds, pooled over tasks; NaN below three pairs. Where it
    is clearly positive, a paired comparison would need fewer seeds."""
    tasks: tuple[tuple[str, Difference, float], ...]
    """Each task's difference and its p value, adjusted by Benjamini and Hochberg: exploratory."""


def contrasts(runs: Sequence[Scored]) -> list[Contrast]:
    """Every declared contrast that the runs of an entry allow; failed runs count as the floor.

    It needs at least two seeds of both regimes on every task, and none of their runs missing.
    """
    tasks = list(dict.fromkeys(run.task for run in runs))
    scores = {run.identity: run.counted for run in runs if run.counted is not None}
    failed = {run.regime for run in runs if run.lost}
    finished = {run.identity: run.score for run in runs if run.score is not None}
    incomplete = {run.regime for run in runs if run.missing}
    if OURS in incomplete or not _enough(scores, tasks, OURS):
        return []

    # Each family by itself: only the regimes that are there count for Holm. A regime with a
    # missing run is there, though nothing is said of it.
    declared = list[Contrast]()
    ours = _cells(scores, tasks, OURS)
    for family, regimes in FAMILIES.items():
        present = [name for name in regimes if _enough(scores, tasks, name)]
        tests = [
            NOTHING if name in incomplete else difference(ours, _cells(scores, tasks, name))
            for name in present
        ]
        adjusted = holm([test.p for test in tests])
        for name, test, p in zip(present, tests, adjusted, strict=True):
            if name not in incomplete:
                without = _without(finished, tasks, name) if failed & {OURS, name} else None
                declared.append(_contrast(family, name, test, without, p, scores, tasks))
    return declared


def _enough(scores: Scores, tasks: list[str], regime: str) -> bool:
    """Whether a regime has at least two seeds on every task."""
    return all(len(cell) >= 2 for cell in _cells(scores, tasks, regime))


def _cells(scores: Scores, tasks: list[str], regime: str) -> list[list[float]]:
    """The scores of a regime, one cell a task."""
    cells = {task: list[float]() for task in tasks}
    for (task, name, _), score in scores.items():
        if name == regime:
            cells[task].append(score)
    return list(cells.values())


def _without(finished: Scores, tasks: list[str], than: str) -> Difference:
    """The difference of finished runs; NOTHING where a task has less than two of a regime."""
    if not _enough(finished, tasks, OURS) or not _enough(finished, tasks, than):
        return NOTHING
    return difference(_cells(finished, tasks, OURS), _cells(finished, tasks, than))


def _contrast(
    family: str,
    than: str,
    test: Difference,
    finished: Difference | None,
    adjusted: float,
    scores: Scores,
    tasks: list[str],
) -> Contrast:
    ours = _cells(scores, tasks, OURS)
    theirs = _cells(scores, tasks, than)

    # Task by task, to see where a difference comes from.
    single = [difference([a], [b]) for a, b in zip(ours, theirs, strict=True)]
    by_task = zip(tasks, single, benjamini_hochberg([test.p for test in single]), strict=True)

    # Resamples of a few seeds are too much alike: "1.00 (1.00 to 1.00)" of two is no certainty.
    enough = min(len(cell) for cell in [*ours, *theirs]) >= FEW
    return Contrast(
        family=family,
        than=than,
        difference=test,
        finished=finished,
        adjusted=adjusted,
        improvement=improvement(ours, theirs),
        improvement_interval=improvement_interval(ours, theirs) if enough else None,
        correlation=_correlation(scores, tasks, than),
        tasks=tuple(by_task),
    )


def _correlation(scores: Scores, tasks: list[str], than: str) -> float:
    """Correlation over pairs of one task and seed, each task's scores centred."""
    pairs = list[tuple[float, float]]()
    for task in tasks:
        # Seeds that both regimes have on this task.
        both = [
            (score, scores[task, than, seed])
            for (name, regime, seed), score in scores.items()
            if (name, regime) == (task, OURS) and (task, than, seed) in scores
        ]
        if both:
            means = np.mean(both, axis=0)
            pairs += [(a - means[0], b - means[1]) for a, b in both]

    # Too few pairs, or scores that are all alike, have no correlation.
    if len(pairs) < 3 or not all(np.std(side) > 0.0 for side in zip(*pairs, strict=True)):
        return math.nan
    return float(np.corrcoef(np.array(pairs).T)[0, 1])
