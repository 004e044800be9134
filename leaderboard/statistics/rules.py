"""What may be said of a claim: one pure function a rule, from figures of seeds to an outcome.

A rule tests the claim and its opposite, and leans to the side with the smaller p value. Nothing is
decided here: the p values of a family are adjusted first (claims.py), and LEVEL decides then.

above, below, no worse: each side has half of the level, so the 95 percent interval lies wholly
beyond the margin, or wholly short of it. Equivalence: two one-sided tests on each task at the
whole level, the 90 percent interval. Judged task by task, a claim needs every task, and is refuted
by one, whose p value is then multiplied by the number of tasks.

A value exactly at the margin is decided in at most 5 percent of experiments (results/README.md has
what was measured).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from leaderboard.statistics.measures import NOTHING, Cells, Comparison, Measure

LEVEL = 0.05
"""Chance of deciding wrongly, of a whole family."""

Verdict = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Outcome:
    """What a rule found; NaN where it cannot be applied."""

    comparison: Comparison
    """Of all tasks, or of the task that decides."""
    p: float
    """Of the side that it leans to, before any adjustment."""
    leans: Literal["supported", "refuted"]
    task: int | None = None
    """The task that decides, where each is judged by itself."""

    def verdict(self, adjusted: float) -> Verdict:
        """The verdict at an adjusted p value; NaN: undecided."""
        return self.leans if adjusted < LEVEL else "undecided"


UNTESTED = Outcome(NOTHING, math.nan, "refuted")
"""The outcome of a rule that cannot be applied."""


# -- rules over the mean of all tasks --


def above(measure: Measure, ours: Cells, theirs: Cells, margin: float) -> Outcome:
    """Ours is above theirs by more than the margin, which is signed: with a negative one ours is no
    further below."""
    test = measure(ours, theirs, margin)
    return _leaning(test, supports=2.0 * test.above, refutes=2.0 * test.below)


def below(measure: Measure, ours: Cells, theirs: Cells, margin: float) -> Outcome:
    """Ours is below theirs by more than the signed margin; mirrors `above`."""
    test = measure(ours, theirs, margin)
    return _leaning(test, supports=2.0 * test.below, refutes=2.0 * test.above)


# -- rules task by task --


def each_above(measure: Measure, ours: Cells, theirs: Cells, margin: float) -> Outcome:
    """`above` on every task."""
    tests = [measure([a], [b], margin) for a, b in zip(ours, theirs, strict=True)]
    supports = [2.0 * test.above for test in tests]
    refutes = [2.0 * test.below for test in tests]
    return _each(tests, supports, refutes)


def each_below(measure: Measure, ours: Cells, theirs: Cells, margin: float) -> Outcome:
    """`below` on every task."""
    tests = [measure([a], [b], margin) for a, b in zip(ours, theirs, strict=True)]
    supports = [2.0 * test.below for test in tests]
    refutes = [2.0 * test.above for test in tests]
    return _each(tests, supports, refutes)


def equivalent(
    measure: Measure, ours: Cells, theirs: Cells, lowest: float, highest: float
) -> Outcome:
    """Ours is between two margins on every task: two one-sided tests each."""
    tests = list[Comparison]()
    supports = list[float]()
    refutes = list[float]()
    for a, b in zip(ours, theirs, strict=True):
        lower = measure([a], [b], lowest)
        upper = measure([a], [b], highest)
        supports.append(max(lower.above, upper.below))
        refutes.append(2.0 * min(lower.below, upper.above))

        # Of the two limits, the one that is nearer.
        nearer = lower if lower.above > upper.below else upper
        tests.append(replace(nearer, above=lower.above, below=upper.below))
    return _each(tests, supports, refutes)


def _leaning(test: Comparison, supports: float, refutes: float) -> Outcome:
    """The side with the smaller p value; both are NaN where there is no test."""
    if math.isnan(supports):
        return UNTESTED
    if supports < refutes:
        return Outcome(test, min(1.0, supports), "supported")
    return Outcome(test, min(1.0, refutes), "refuted")


def _each(tests: list[Comparison], supports: list[float], refutes: list[float]) -> Outcome:
    """All tasks must support it, and any of them refutes it."""
    if any(math.isnan(p) for p in supports):
        return UNTESTED
    weakest = max(range(len(tests)), key=lambda task: supports[task])
    worst = min(range(len(tests)), key=lambda task: refutes[task])
    against = min(1.0, len(tests) * refutes[worst])
    if supports[weakest] < against:
        return Outcome(tests[weakest], min(1.0, supports[weakest]), "supported", weakest)
    return Outcome(tests[worst], against, "refuted", worst)
