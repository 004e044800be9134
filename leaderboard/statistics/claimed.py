"""Tests whether the returns that an entry claims agree with fresh ones, too high or too low.

A run claims m episodes. Its policy is then rolled out for n fresh episodes, on streams that nobody
knew before. The spread of the claimed episodes is the claimant's to choose, so no test looks at it.
What honest claims would be is drawn from the fresh episodes alone, with one imagined episode at
each end of the task's range of returns: they stand for what fresh episodes may have missed, such as
a fall in one episode of two hundred. `resampled` says how often claimed and fresh means would
differ so much if all episodes were drawn from there.

Two families of two-sided tests share the level of an entry, and each shares its part out over its
tests (Bonferroni). A group of runs, one task and regime, is tested by the mean of its differences:
differences of other groups cannot cancel them. A single run is tested too, and counts only where it
differs by more than a tenth of the range: less is rarely worth a lie in one run alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard.formats.catalogue import SLACK
from leaderboard.statistics import resampled

LEVEL_GROUPS = 0.003
"""Chance that an honest entry is refused for any of its groups."""
LEVEL_RUNS = 0.001
"""Chance that an honest entry is refused for any of its single runs."""
LEVEL = LEVEL_GROUPS + LEVEL_RUNS
"""Chance that an honest entry is refused. It is approximate: benchmarks/reeval_power.py measured at
most 0.005 for normal, skewed, bimodal and rarely falling policies."""
FAR = 0.1
"""Share of the task's range by which a single run must differ to count."""
LARGEST = 1e12
"""Returns are clipped to it: a forger can sign any number."""


@dataclass(frozen=True)
class Episodes:
    """What a run claims, and what came out afresh."""

    run: str
    """`task/regime/seed`"""
    group: str
    """`task/regime`"""
    claimed: Sequence[float]
    """Return of each final episode, as stated; at least one."""
    fresh: Sequence[float]
    """Return of each fresh episode; at least one."""
    low: float
    """Lowest return that an episode of the task can have."""
    high: float
    """Highest."""

    def __post_init__(self) -> None:
        if not self.claimed or not self.fresh:
            raise ValueError(f"{self.run}: {len(self.claimed)} claimed and {len(self.fresh)} fresh")
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"{self.run}: {self.low} to {self.high} is no range of returns")


@dataclass(frozen=True)
class RunOutcome:
    """The test of one run."""

    run: str
    claimed: float
    """Mean claimed return."""
    fresh: float
    """Mean fresh return."""
    p: float
    """Two-sided p value of an honest claim, of this run alone."""
    defect: str | None
    """What contradicts the claim, in words."""


@dataclass(frozen=True)
class GroupOutcome:
    """The test of all runs of one task and regime together."""

    group: str
    runs: int
    difference: float
    """Mean over the runs of claimed less fresh."""
    error: float
    """Its standard error if the claims are honest."""
    p: float
    """Two-sided p value of honest claims, of this group alone."""
    defect: str | None
    """What contradicts the claims, in words."""


@dataclass(frozen=True)
class Outcome:
    """The tests of an entry."""

    runs: tuple[RunOutcome, ...]
    """In the order in which they were handed in."""
    groups: tuple[GroupOutcome, ...]
    """In the order of their first runs."""

    @property
    def defects(self) -> list[str]:
        """What contradicts the entry, each with the name of its run or group; empty: nothing."""
        named = [(run.run, run.defect) for run in self.runs]
        named += [(group.group, group.defect) for group in self.groups]
        return [f"{name}: {defect}" for name, defect in named if defect]


def compare(runs: Sequence[Episodes]) -> Outcome:
    """All tests of an entry's finished runs, each with as many fresh episodes as the others.

    Every figure of the outcome is finite.
    """
    by_group: dict[str, list[Episodes]] = {}
    for run in runs:
        if len(run.fresh) != len(runs[0].fresh):
            raise ValueError(f"{run.run}: {len(run.fresh)} fresh episodes, not as many as others")
        by_group.setdefault(run.group, []).append(run)

    # Each test's level is its share of that of its family.
    run_outcomes = [_run_outcome(run, LEVEL_RUNS / len(runs)) for run in runs]
    group_outcomes = [
        _group_outcome(name, members, LEVEL_GROUPS / len(by_group))
        for name, members in by_group.items()
    ]
    return Outcome(tuple(run_outcomes), tuple(group_outcomes))


def _run_outcome(run: Episodes, level: float) -> RunOutcome:
    claimed = mean(run.claimed, run.low)
    fresh = mean(run.fresh, run.low)
    difference = claimed - fresh
    p = _chance(difference, [run])

    # A return that no episode can have needs no test.
    defect = None
    outside = [value for value in run.claimed if not _within(value, run)]
    if outside:
        defect = (
            f"claims an episode that returns {outside[0]:.6g}; the task allows"
            f" {run.low:g} to {run.high:g}"
        )
    elif p < level and abs(difference) > FAR * (run.high - run.low):
        defect = _sentence("claims", claimed, fresh, p)
    return RunOutcome(run.run, claimed, fresh, p, defect)


def _group_outcome(name: str, runs: Sequence[Episodes], level: float) -> GroupOutcome:
    count = len(runs)
    claimed = math.fsum(mean(run.claimed, run.low) for run in runs) / count
    fresh = math.fsum(mean(run.fresh, run.low) for run in runs) / count
    p = _chance(claimed - fresh, runs)

    error = math.sqrt(math.fsum(_difference_variance(run) for run in runs)) / count
    subject = "its run claims" if count == 1 else f"its {count} runs claim, on average,"
    defect = _sentence(subject, claimed, fresh, p) if p < level else None
    return GroupOutcome(name, count, claimed - fresh, error, p, defect)


def _sentence(subject: str, claimed: float, fresh: float, p: float) -> str:
    """What contradicts a claim, in words."""
    direction = "too low" if claimed < fresh else "too high"
    return f"{subject} {claimed:.1f}, {direction}: fresh episodes return {fresh:.1f} (p {p:.2g})"


def mean(returns: Sequence[float], low: float) -> float:
    """Mean return, always finite: an episode that returns no number counts as `low`."""
    return math.fsum(_finite(returns, low)) / len(returns)


def _finite(returns: Sequence[float], low: float) -> list[float]:
    numbers = [low if math.isnan(value) else value for value in returns]
    return [max(-LARGEST, min(LARGEST, value)) for value in numbers]


def _within(value: float, run: Episodes) -> bool:
    """Whether an episode can return so much, but for rounding."""
    slack = SLACK * (run.high - run.low)
    return run.low - slack <= value <= run.high + slack


def _chance(difference: float, runs: Sequence[Episodes]) -> float:
    """Two-sided p value of the mean over runs of claimed less fresh."""
    # One group of runs. Shape: [1, k, n + 2]
    returns = np.array([[_with_imagined(run) for run in runs]])
    claimed = np.array([float(len(run.claimed)) for run in runs])
    fresh = len(runs[0].fresh)
    return float(resampled.two_sided(np.array([difference]), returns, claimed, fresh)[0])


def _with_imagined(run: Episodes) -> list[float]:
    """What honest episodes are drawn from; never all the same."""
    return [*_finite(run.fresh, run.low), run.low, run.high]


def _difference_variance(run: Episodes) -> float:
    """Variance of claimed less fresh mean of an honest run."""
    variance = float(np.var(_with_imagined(run), ddof=1))
    return variance * (1.0 / len(run.claimed) + 1.0 / len(run.fresh))
