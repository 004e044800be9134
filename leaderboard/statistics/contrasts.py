"""The comparisons declared before any run: MST against each headline regime, and against the controls at its density."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard.formats.run import StatedRun
from leaderboard.statistics.stats import (
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
"""MST is compared with these; each family is adjusted by Holm for itself."""
OURS = "mst"


@dataclass(frozen=True)
class Contrast:
    """MST less another regime on the mean over tasks."""

    family: str
    than: str
    difference: Difference
    adjusted: float
    """Holm's p within the family."""
    improvement: float
    """Probability of improvement."""
    improvement_interval: tuple[float, float]
    correlation: float
    """Of the scores of equal seeds, pooled over tasks: pairing pays where it is clearly positive. NaN below three pairs."""
    tasks: tuple[tuple[str, Difference, float], ...]
    """Each task's difference and its p value adjusted by Benjamini and Hochberg: exploratory."""


def contrasts(runs: Sequence[StatedRun]) -> list[Contrast]:
    """Every declared contrast that the runs of an entry allow: two seeds or more of both regimes on every task."""
    scores = {run.identity: run.score for run in runs if run.score is not None}
    tasks = list(dict.fromkeys(run.task for run in runs))
    found = list[Contrast]()
    for family, others in FAMILIES.items():
        present = [name for name in others if all(_enough(scores, task, name) for task in tasks)]
        if not all(_enough(scores, task, OURS) for task in tasks):
            continue
        tests = [
            difference(_cells(scores, tasks, OURS), _cells(scores, tasks, name)) for name in present
        ]
        for name, test, adjusted in zip(
            present, tests, holm([test.p for test in tests]), strict=True
        ):
            found.append(_contrast(family, name, test, adjusted, scores, tasks))
    return found


Scores = dict[tuple[str, str, int], float]


def _enough(scores: Scores, task: str, regime: str) -> bool:
    return sum(key[:2] == (task, regime) for key in scores) >= 2


def _cells(scores: Scores, tasks: list[str], regime: str) -> list[list[float]]:
    return [[score for key, score in scores.items() if key[:2] == (task, regime)] for task in tasks]


def _contrast(
    family: str, than: str, test: Difference, adjusted: float, scores: Scores, tasks: list[str]
) -> Contrast:
    ours, theirs = _cells(scores, tasks, OURS), _cells(scores, tasks, than)
    single = [difference([a], [b]) for a, b in zip(ours, theirs, strict=True)]
    by_task = zip(tasks, single, benjamini_hochberg([one.p for one in single]), strict=True)
    return Contrast(
        family=family,
        than=than,
        difference=test,
        adjusted=adjusted,
        improvement=improvement(ours, theirs),
        improvement_interval=improvement_interval(ours, theirs),
        correlation=_correlation(scores, tasks, than),
        tasks=tuple(by_task),
    )


def _correlation(scores: Scores, tasks: list[str], than: str) -> float:
    """Of pairs with one task and seed, each task's scores centred."""
    pairs = list[tuple[float, float]]()
    for task in tasks:
        both = [
            (score, scores[task, than, seed])
            for (where, regime, seed), score in scores.items()
            if (where, regime) == (task, OURS) and (task, than, seed) in scores
        ]
        if both:
            means = np.mean(both, axis=0)
            pairs += [(a - means[0], b - means[1]) for a, b in both]
    if len(pairs) < 3 or not all(np.std(side) > 0.0 for side in zip(*pairs, strict=True)):
        return math.nan
    return float(np.corrcoef(np.array(pairs).T)[0, 1])
