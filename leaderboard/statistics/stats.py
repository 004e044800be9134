"""Statistics of scores. The unit of replication is the training seed, so episodes come averaged.

A comparison has cells, one a task, each with the scores of its seeds; seeds may be missing and
cells of different sizes. Bootstraps draw from a generator with a fixed seed, so a table is the same
every time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # without the seconds that scipy.stats takes to import

Cells = Sequence[Sequence[float]]
"""For each task the scores of its seeds."""
Array = NDArray[np.float64]

REPLICATIONS = 2000
"""Resamples of a bootstrap."""
COLLAPSED = 0.1
"""Share of its cell's median score below which a seed has collapsed."""
FEW = 5
"""Number of seeds below which scores do not justify a ranking."""
BETS = (0.2, 0.5, 0.8)
"""Stakes that `e_values` averages over."""


@dataclass(frozen=True)
class Mean:
    """A mean with its t interval."""

    n: int
    """Seeds."""
    mean: float
    deviation: float
    """Sample standard deviation over seeds; NaN for one seed."""
    half_width: float
    """Half of the 95 percent t interval; NaN for one seed."""


@dataclass(frozen=True)
class Difference:
    """A difference of means with its interval and p value; NaN where seeds are too few."""

    value: float
    low: float
    high: float
    p: float
    """Two-sided p value of no difference."""


NOTHING = Difference(math.nan, math.nan, math.nan, math.nan)
"""A difference that cannot be estimated."""

# -- means and differences --


def mean_interval(scores: Sequence[float], confidence: float = 0.95) -> Mean:
    """Mean over seeds with a two-sided t interval of n - 1 degrees of freedom."""
    n = len(scores)
    mean = math.fsum(scores) / n
    if n < 2:
        return Mean(n, mean, math.nan, math.nan)
    deviation = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (n - 1))
    quantile = float(stdtrit(n - 1, 0.5 + confidence / 2.0))
    return Mean(n, mean, deviation, quantile * deviation / math.sqrt(n))


def suite_mean(cells: Cells, confidence: float = 0.95) -> Mean:
    """Mean of the tasks' means, with the t interval of a stratified mean."""
    means = [mean_interval(scores) for scores in cells]
    mean = math.fsum(cell.mean for cell in means) / len(means)
    seeds = sum(cell.n for cell in means)

    # The interval needs two seeds in every cell.
    error, freedom = standard_error(means)
    if math.isnan(error):
        return Mean(seeds, mean, math.nan, math.nan)
    half = float(stdtrit(freedom, 0.5 + confidence / 2.0)) * error
    return Mean(seeds, mean, math.nan, half)


def difference(ours: Cells, theirs: Cells, confidence: float = 0.95) -> Difference:
    """Mean of the tasks' means of `ours` minus that of `theirs`: Welch's t over all cells."""
    a = [mean_interval(scores) for scores in ours]
    b = [mean_interval(scores) for scores in theirs]
    mean_a = math.fsum(cell.mean for cell in a) / len(a)
    mean_b = math.fsum(cell.mean for cell in b) / len(b)

    error, freedom = standard_error(a, b)
    return with_error(mean_a - mean_b, error, freedom, confidence)


def with_error(value: float, error: float, freedom: float, confidence: float = 0.95) -> Difference:
    """A difference from its standard error and degrees of freedom."""
    if math.isnan(error):
        return Difference(value, math.nan, math.nan, math.nan)
    if error == 0.0:
        return Difference(value, value, value, 1.0 if value == 0.0 else 0.0)

    half = float(stdtrit(freedom, 0.5 + confidence / 2.0)) * error
    p = 2.0 * float(stdtr(freedom, -abs(value) / error))
    return Difference(value, value - half, value + half, p)


def standard_error(*groups: Sequence[Mean]) -> tuple[float, float]:
    """Standard error and degrees of freedom of a sum of groups' means; NaN with a single seed.

    A group's mean is the mean of its cells' means.
    """
    terms = list[tuple[float, int]]()
    for group in groups:
        terms += [(cell.deviation**2 / cell.n / len(group) ** 2, cell.n) for cell in group]
    variance = math.fsum(term for term, _ in terms)
    if math.isnan(variance) or variance == 0.0:
        return variance, 1.0

    # Welch and Satterthwaite's degrees of freedom.
    freedom = 1.0 / math.fsum((term / variance) ** 2 / (n - 1) for term, n in terms)
    return math.sqrt(variance), freedom


# -- several tests at once --


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values of a family.

    NaN, a test that could not be made, counts as a member of the family and stays NaN.
    """
    adjusted = [math.nan] * len(values)
    worst = 0.0
    for rank, index in enumerate(_ascending(values)):
        if not math.isnan(values[index]):
            worst = max(worst, min(1.0, (len(values) - rank) * values[index]))
            adjusted[index] = worst
    return adjusted


def benjamini_hochberg(values: Sequence[float]) -> list[float]:
    """Adjusted p values that bound the share of false discoveries; NaN counts and stays."""
    adjusted = [math.nan] * len(values)
    least = 1.0
    for rank, index in reversed(list(enumerate(_ascending(values), 1))):
        if not math.isnan(values[index]):
            least = min(least, values[index] * len(values) / rank)
            adjusted[index] = least
    return adjusted


def _ascending(values: Sequence[float]) -> list[int]:
    """Indices in ascending order of their values, NaN last."""
    return sorted(range(len(values)), key=lambda i: (math.isnan(values[i]), values[i]))


# -- robust summaries --


def iqm(scores: Array) -> Array:
    """Interquartile mean over the last axis: [..., n] -> [...].

    It leaves out the lowest and the highest quarter, their counts rounded down.
    """
    cut = scores.shape[-1] // 4
    inner: Array = np.sort(scores, axis=-1)[..., cut : scores.shape[-1] - cut].mean(-1)
    return inner


def pooled_iqm(cells: Cells) -> float:
    """Interquartile mean of the runs of all tasks.

    It can hide collapses: of five seeds on each of two tasks, one collapsed on each does not show.
    """
    return float(iqm(np.concatenate([np.asarray(scores, float) for scores in cells])))


def bootstrap(
    cells: Cells, statistic: Callable[[list[Array]], Array], confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of a statistic, seeds drawn with replacement within each task.

    `statistic` gets for each task scores [REPLICATIONS, n] and returns [REPLICATIONS].
    """
    indices = zip(cells, _drawn(cells, seed), strict=True)
    drawn = [np.asarray(scores, float)[index] for scores, index in indices]
    return _percentiles(statistic(drawn), confidence)


def _drawn(cells: Cells, seed: int) -> list[NDArray[np.int64]]:
    """Which seeds of each task are drawn, with replacement: [REPLICATIONS, n] each."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return [generator.integers(0, len(cell), (REPLICATIONS, len(cell))) for cell in cells]


def _percentiles(values: Array, confidence: float) -> tuple[float, float]:
    """The middle share `confidence` of the values of replications."""
    tail = 0.5 - confidence / 2.0
    low, high = np.quantile(values, (tail, 1.0 - tail))
    return float(low), float(high)


def iqm_interval(cells: Cells, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Stratified bootstrap interval of `pooled_iqm`."""
    return bootstrap(cells, lambda drawn: iqm(np.concatenate(drawn, axis=1)), confidence, seed)


def improvement(ours: Cells, theirs: Cells) -> float:
    """Probability of improvement: a run of ours scores above one of theirs on the same task.

    Ties count half; the mean over tasks.
    """
    return float(np.mean([_above(a, b).mean() for a, b in zip(ours, theirs, strict=True)]))


def improvement_interval(
    ours: Cells, theirs: Cells, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Stratified bootstrap interval of `improvement`, both sides resampled."""
    drawn = _drawn([*ours, *theirs], seed)
    sides = drawn[: len(ours)], drawn[len(ours) :]
    shares = list[Array]()
    for a, b, of_a, of_b in zip(ours, theirs, *sides, strict=True):
        # A pair counts as often as both of its seeds were drawn. Shape: [REPLICATIONS, m]
        wins = _times(of_a) @ _above(a, b)
        shares.append((wins * _times(of_b)).sum(-1) / (len(a) * len(b)))
    return _percentiles(np.mean(shares, axis=0), confidence)


def _times(index: NDArray[np.int64]) -> Array:
    """How often each seed was drawn: indices [REPLICATIONS, n] -> [REPLICATIONS, n]."""
    rows, n = index.shape
    flat = (index + n * np.arange(rows)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * n).reshape(rows, n).astype(float)


def _above(a: Sequence[float], b: Sequence[float]) -> Array:
    """1 where a run of a is above one of b, one half where they are equal: [n], [m] -> [n, m]."""
    gap = np.subtract.outer(np.asarray(a, float), np.asarray(b, float))
    share: Array = (gap > 0.0) + 0.5 * (gap == 0.0)
    return share


def profile(cells: Cells, thresholds: Sequence[float]) -> list[float]:
    """Performance profile: share of runs above each threshold, with equal weight of tasks."""
    profiles = list[float]()
    for limit in thresholds:
        shares = [float(np.mean(np.asarray(scores) > limit)) for scores in cells]
        profiles.append(math.fsum(shares) / len(shares))
    return profiles


def collapsed(scores: Sequence[float]) -> int:
    """Number of seeds that score less than a tenth of the median of their cell."""
    return sum(score < COLLAPSED * float(np.median(scores)) for score in scores)


# -- sequential evidence --


def e_values(differences: Sequence[float], scale: float) -> list[float]:
    """Evidence against "no difference" after each pair of runs with equal seed index.

    It is the mean wealth of two one-sided betting processes, each a mixture over BETS. Differences
    are clipped to +-`scale`, which must be fixed before they are seen.

    If both sides of a pair have the same distribution, their difference is symmetric and clipping
    keeps its mean zero. Then each product of (1 + bet x) has expectation one at any stopping time,
    so one may look after every seed and stop at 1 / alpha (Waudby-Smith and Ramdas 2024).
    """
    wealth = np.ones((2, len(BETS)))  # bets on a positive and on a negative difference
    evidence = list[float]()
    for value in differences:
        # Each bet stakes a share of its wealth at even odds.
        x = max(-1.0, min(1.0, value / scale))
        wealth *= 1.0 + np.outer([x, -x], BETS)
        evidence.append(float(wealth.mean()))
    return evidence
