"""Whether runs that were trained again on another machine score the same as an entry's.

Machines round differently, and learning amplifies it, so scores of the same run differ by chance as
those of two seeds do. Not to find a difference would show nothing: the test must rule out that
there is one. It needs at least three runs, and states its power.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtr, stdtrit  # scipy.stats is slow to import

FEWEST = 3
"""Retrained runs below which nothing is tested."""
MARGIN = 0.1
"""Difference that an equivalence rules out, as a share of the entry's mean score."""
EQUIVALENCE_LEVEL = 0.05
"""Level of each of the two one-sided tests of an equivalence."""


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
