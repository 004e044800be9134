"""Tests whether the returns that an entry claims agree with fresh ones, too high or too low.

A run claims m episodes with mean c. Its policy then returns f on average over n fresh episodes, on
streams that nobody knew before. The spread of the claimed episodes is the claimant's to choose, so
no test looks at it: the variance is that of the fresh episodes, with one imagined episode at each
end of the task's range of returns. The imagined ones stand for what fresh episodes may have missed,
such as a fall in one episode of two hundred. A claim that differs from f by chance has the variance

    s^2 (1/m + 1/n),  s^2 = sample variance of (fresh returns, lowest return, highest return).

Two families of two-sided tests share the level of an entry, and each shares its part out over its
tests (Bonferroni). A group of runs, one task and regime, is tested by the mean of its differences:
differences of other groups cannot cancel them. A single run is tested too, and counts only where it
differs by more than a tenth of the range, because a policy that rarely falls differs by chance.

`equivalence` compares runs that were trained again on another machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtr, stdtrit  # scipy.stats is slow to import

LEVEL_GROUPS = 0.004
"""Chance that an honest entry is refused for any of its groups."""
LEVEL_RUNS = 0.001
"""Chance that an honest entry is refused for any of its single runs."""
LEVEL = LEVEL_GROUPS + LEVEL_RUNS
"""Chance that an honest entry is refused."""
FAR = 0.1
"""Share of the task's range by which a single run must differ to count."""
SMALLEST = 1e-300
"""Smallest p that is stated."""
LARGEST = 1e12
"""Returns are clipped to it: a forger can sign any number."""
SLACK = 1e-6
"""Share of the range by which a sum of rewards may leave it through rounding."""

FEWEST = 3
"""Retrained runs below which nothing is tested."""
MARGIN = 0.1
"""Difference that an equivalence rules out, as a share of the entry's mean score."""
EQUIVALENCE_LEVEL = 0.05
"""Level of each of the two one-sided tests of an equivalence."""


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
    """All tests of an entry's finished runs. Every figure of the outcome is finite."""
    by_group: dict[str, list[Episodes]] = {}
    for run in runs:
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
    freedom = len(run.fresh) - 1
    p = two_sided(difference, math.sqrt(difference_variance(run)), freedom)

    # A return that no episode can have needs no test.
    defect = None
    span = run.high - run.low
    outside = [value for value in run.claimed if not _within(value, run)]
    if outside:
        defect = (
            f"claims an episode that returns {outside[0]:.6g}; the task allows"
            f" {run.low:g} to {run.high:g}"
        )
    elif p < level and abs(difference) > FAR * span:
        defect = f"claims {claimed:.1f}{_direction(difference)}, fresh episodes return {fresh:.1f}"
        defect += f" (p {p:.2g})"
    return RunOutcome(run.run, claimed, fresh, p, defect)


def _group_outcome(name: str, runs: Sequence[Episodes], level: float) -> GroupOutcome:
    count = len(runs)
    claimed = math.fsum(mean(run.claimed, run.low) for run in runs) / count
    fresh = math.fsum(mean(run.fresh, run.low) for run in runs) / count
    difference = claimed - fresh

    error = math.sqrt(math.fsum(difference_variance(run) for run in runs)) / count
    freedom = sum(len(run.fresh) - 1 for run in runs)
    p = two_sided(difference, error, freedom)

    defect = None
    if p < level:
        subject = f"its {count} runs claim" if count > 1 else "its run claims"
        defect = f"{subject} {claimed:.1f} on average{_direction(difference)}, fresh episodes"
        defect += f" return {fresh:.1f} (p {p:.2g})"
    return GroupOutcome(name, count, difference, error, p, defect)


def _direction(difference: float) -> str:
    return ", too low" if difference < 0.0 else ""


def _within(value: float, run: Episodes) -> bool:
    """Whether an episode can return so much, but for rounding."""
    slack = SLACK * (run.high - run.low)
    return run.low - slack <= value <= run.high + slack


def mean(returns: Sequence[float], low: float) -> float:
    """Mean return, always finite: an episode that returns no number counts as `low`."""
    return math.fsum(_clipped(returns, low)) / len(returns)


def _clipped(returns: Sequence[float], low: float) -> list[float]:
    numbers = [low if math.isnan(value) else value for value in returns]
    return [max(-LARGEST, min(LARGEST, value)) for value in numbers]


def difference_variance(run: Episodes) -> float:
    """Variance of claimed less fresh mean of an honest run, by its fresh episodes alone.

    It is never zero, since the imagined episodes differ.
    """
    values = [*_clipped(run.fresh, run.low), run.low, run.high]
    middle = math.fsum(values) / len(values)
    variance = math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)
    return variance * (1.0 / len(run.claimed) + 1.0 / len(run.fresh))


def two_sided(difference: float, error: float, freedom: int) -> float:
    """Two-sided p value by Student's t; one fresh episode counts as one degree of freedom."""
    p = 2.0 * float(stdtr(max(1, freedom), -abs(difference) / error))
    return max(SMALLEST, min(1.0, p))


# -- runs that were trained again --


@dataclass(frozen=True)
class Equivalence:
    """Whether runs that were trained again on another machine score the same."""

    runs: int
    difference: float | None
    """Mean of retrained less entry; None without a run."""
    low: float | None
    """Ends of the 90 percent interval of the difference; None below three runs."""
    high: float | None
    margin: float
    """Difference that must lie outside of the interval on both sides."""
    power: float
    """Chance of passing if nothing differs, at the spread that was seen; 0 below three runs."""
    passed: bool


def equivalence(retrained: Sequence[float], entry: Sequence[float]) -> Equivalence:
    """Two one-sided t tests at 5 percent each, of the differences run by run.

    `retrained`: scores of the retrained runs on fresh episodes; `entry`: fresh scores of the same
    runs of the entry, in the same order. They pass where the 90 percent interval of the mean
    difference lies within a tenth of the entry's mean score. Fewer than three never pass.
    """
    differences = [ours - theirs for ours, theirs in zip(retrained, entry, strict=True)]
    count = len(differences)
    if not count:
        return Equivalence(0, None, None, None, 0.0, 0.0, passed=False)
    middle = math.fsum(differences) / count
    margin = MARGIN * abs(math.fsum(entry) / count)
    if count < FEWEST:
        return Equivalence(count, middle, None, None, margin, 0.0, passed=False)

    # The interval at twice the level is the same as both tests.
    squares = math.fsum((value - middle) ** 2 for value in differences)
    deviation = math.sqrt(squares / (count - 1))
    half = float(stdtrit(count - 1, 1.0 - EQUIVALENCE_LEVEL)) * deviation / math.sqrt(count)
    return Equivalence(
        runs=count,
        difference=middle,
        low=middle - half,
        high=middle + half,
        margin=margin,
        power=equivalence_power(deviation, count, margin),
        passed=-margin < middle - half and middle + half < margin,
    )


def equivalence_power(deviation: float, count: int, margin: float, points: int = 4000) -> float:
    """Chance that `count` differences of mean zero and this standard deviation pass.

    Exact but for the midpoint rule: given the sample deviation S, the mean must lie within
    margin - t S / sqrt(K), which has a normal probability; S^2 (K - 1) / deviation^2 is chi-squared
    with K - 1 degrees of freedom, over whose quantiles the probability is averaged.
    """
    if margin <= 0.0:
        return 0.0
    if deviation == 0.0:
        return 1.0
    shares = (np.arange(points) + 0.5) / points
    freedom = count - 1
    sample = deviation * np.sqrt(2.0 * gammaincinv(freedom / 2.0, shares) / freedom)

    error = deviation / math.sqrt(count)
    quantile = float(stdtrit(freedom, 1.0 - EQUIVALENCE_LEVEL))
    room = np.maximum(0.0, margin - quantile * sample / math.sqrt(count)) / error
    return float(np.mean(2.0 * ndtr(room) - 1.0))
