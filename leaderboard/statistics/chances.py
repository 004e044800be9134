"""The chance that a test passes, from true means, spreads and rates: numbers in, a number out.

Means: given the deviations of the samples, whose squares are chi-squared, a test cuts a normal
variable at a known point; the probability beyond it is averaged over draws of the deviations.
Spreads: distances from the median are drawn up to SIMULATED seeds; beyond that their mean is all
but normal. Rates: normal, with the score test's variance. All draws have a fixed seed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from leaderboard.statistics.measures import restricted_variance

DISTANCE = math.sqrt(2.0 / math.pi)
"""Mean distance of a normal score from its median, in standard deviations."""
SIMULATED = 50
"""Seeds up to which distances are drawn."""
DRAWS = 2000
"""Draws that a chance is averaged over."""
SMALLEST = 1e-150
"""Of a variance that is divided by; its square is a number above zero, too."""

Array = NDArray[np.float64]


# -- means --


def mean_shown(excess: float, errors: Errors, alpha: float) -> float:
    """Chance that a mean this far above its margin is found to be."""
    return float(np.mean(_normal(excess - errors.bounds(alpha), errors.true)))


def mean_between(
    above: float, errors_above: Errors, below: float, errors_below: Errors, alpha: float
) -> float:
    """Chance that a mean is found between two margins; `above`, `below`: its distance from each."""
    # Both tests cut the same normal variable.
    upper = _normal(below - errors_below.bounds(alpha), errors_below.true)
    lower = _normal(errors_above.bounds(alpha) - above, errors_above.true)
    return float(np.mean(np.maximum(0.0, upper - lower)))


@dataclass(frozen=True)
class Errors:
    """Standard errors of a sum of independent means: the true one, and draws of estimates."""

    true: float
    estimated: Array
    freedom: Array

    @classmethod
    def of(cls, cells: Sequence[tuple[float, int]]) -> Errors:
        """From the variance of each mean and the seeds behind it."""
        variances = np.array([variance for variance, _ in cells])
        freedoms = np.array([seeds - 1.0 for _, seeds in cells])
        drawn = variances * _draws(tuple(seeds for _, seeds in cells))  # [DRAWS, cells]

        # Welch and Satterthwaite's degrees of freedom, as the tests estimate them.
        total = np.maximum(drawn.sum(axis=1), SMALLEST)
        freedom = total**2 / np.maximum((drawn**2 / freedoms).sum(axis=1), SMALLEST**2)
        return cls(math.sqrt(math.fsum(variances)), np.sqrt(total), freedom)

    def bounds(self, alpha: float) -> Array:
        """How far above zero an estimate must be, one for each draw."""
        quantiles: Array = stdtrit(self.freedom, 1.0 - alpha)
        return quantiles * self.estimated


@functools.lru_cache(maxsize=64)
def _draws(seeds: tuple[int, ...]) -> Array:
    """Variances of samples as shares of the true ones: [DRAWS, cells]."""
    generator = np.random.Generator(np.random.PCG64(0))
    freedoms = np.array(seeds, dtype=np.float64) - 1.0
    return generator.chisquare(freedoms, (DRAWS, len(seeds))) / freedoms


def _normal(distance: Array, error: float) -> Array:
    """Chance that a normal variable of this deviation is below a distance."""
    if error == 0.0:
        return np.where(distance > 0.0, 1.0, 0.0)
    chance: Array = ndtr(distance / error)
    return chance


# -- spreads and rates --


def ratio_shown(seeds: int, tasks: int, ratio: float, margin: float, alpha: float) -> float:
    """Chance that spreads of this true ratio are found above a margin, over tasks together."""
    quantile = float(stdtrit(2.0 * tasks * (seeds - 2), 1.0 - alpha))
    if seeds > SIMULATED:
        # A distance of spread one has mean DISTANCE and variance 1 - DISTANCE^2.
        variance = (1.0 - DISTANCE**2) * (ratio**2 + margin**2) / (seeds - 1) / tasks
        return float(ndtr((ratio - margin) * DISTANCE / math.sqrt(variance) - quantile))

    # Each task in units of its mean distance over both sides, as the rule has it.
    means, variances = _distances(seeds, tasks)  # [DRAWS, tasks, 2]
    ours = ratio * means[..., 0]
    theirs = means[..., 1]
    unit = (ours + theirs) / 2.0
    excess = ((ours - margin * theirs) / unit).sum(axis=1)
    squares = (ratio**2 * variances[..., 0] + margin**2 * variances[..., 1]) / unit**2
    error = np.sqrt(squares.sum(axis=1) / (seeds - 1))
    return float(np.mean(excess > quantile * error))


@functools.lru_cache(maxsize=64)
def _distances(seeds: int, tasks: int) -> tuple[Array, Array]:
    """Mean and variance of the distances of normal samples, drawn: twice [DRAWS, tasks, 2]."""
    generator = np.random.Generator(np.random.PCG64(0))
    scores = generator.standard_normal((DRAWS, tasks, 2, seeds))
    ordered = np.sort(np.abs(scores - np.median(scores, axis=-1, keepdims=True)), axis=-1)
    if seeds % 2 == 0:
        ordered[..., 1] *= math.sqrt(2.0)
    kept = ordered[..., 1:]
    return kept.mean(axis=-1), kept.var(axis=-1, ddof=1)


def rate_shown(
    seeds: int, rates: tuple[float, ...], shift: float, margin: float, upward: bool, alpha: float
) -> float:
    """Chance that the score test finds a difference of rates beyond a margin."""
    pairs = [(min(1.0, max(0.0, rate + shift)), rate) for rate in rates]
    excess = math.fsum(ours - theirs - margin for ours, theirs in pairs)
    true = math.fsum(a * (1.0 - a) + b * (1.0 - b) for a, b in pairs) / seeds
    tested = math.fsum(restricted_variance(a, seeds, b, seeds, margin) for a, b in pairs)

    gap = excess if upward else -excess
    bound = float(ndtri(1.0 - alpha)) * math.sqrt(tested)
    if true == 0.0:
        return float(gap > bound)
    return float(ndtr((gap - bound) / math.sqrt(true)))
