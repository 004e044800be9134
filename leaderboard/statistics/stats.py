"""Statistics of scores. The unit of replication is the training seed: episodes are averaged before anything here sees them.

A comparison has cells, one a task, each with the scores of its seeds; seeds may be missing and cells of different sizes.
Everything random draws from a generator with a fixed seed, so a table is the same every time it is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import (  # without the seconds that scipy.stats takes to import
    fdtr,
    fdtri,
    stdtr,
    stdtrit,
)

Cells = Sequence[Sequence[float]]
"""For each task the scores of its seeds."""
Array = NDArray[np.float64]

REPLICATIONS = 2000
"""Of a bootstrap."""
COLLAPSED = 0.1
"""Share of its regime's median score below which a seed has collapsed."""
FEW = 5
"""Seeds below which no ranking follows from the scores."""


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
    """Two-sided, of no difference."""


def mean_interval(scores: Sequence[float], confidence: float = 0.95) -> Mean:
    """Mean over seeds with a two-sided t interval of n - 1 degrees of freedom."""
    n = len(scores)
    mean = math.fsum(scores) / n
    if n < 2:
        return Mean(n, mean, math.nan, math.nan)
    deviation = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (n - 1))
    return Mean(
        n, mean, deviation, float(stdtrit(n - 1, 0.5 + confidence / 2.0)) * deviation / math.sqrt(n)
    )


def suite_mean(cells: Cells, confidence: float = 0.95) -> Mean:
    """Mean of the tasks' means, with the interval of a stratified mean (Welch and Satterthwaite's degrees of freedom)."""
    found = [mean_interval(scores) for scores in cells]
    mean = math.fsum(cell.mean for cell in found) / len(found)
    error, freedom = _standard_error(found)
    half = (
        float(stdtrit(freedom, 0.5 + confidence / 2.0)) * error
        if not math.isnan(error)
        else math.nan
    )
    return Mean(sum(cell.n for cell in found), mean, math.nan, half)


def difference(ours: Cells, theirs: Cells, confidence: float = 0.95) -> Difference:
    """Mean of the tasks' means of `ours` less that of `theirs`: Welch's t over all cells of both."""
    a, b = [mean_interval(scores) for scores in ours], [mean_interval(scores) for scores in theirs]
    value = math.fsum(cell.mean for cell in a) / len(a) - math.fsum(cell.mean for cell in b) / len(
        b
    )
    error, freedom = _standard_error(a, b)
    return with_error(value, error, freedom, confidence)


def with_error(value: float, error: float, freedom: float, confidence: float = 0.95) -> Difference:
    """A difference whose standard error and degrees of freedom are known."""
    if math.isnan(error):
        return Difference(value, math.nan, math.nan, math.nan)
    if error == 0.0:
        return Difference(value, value, value, 1.0 if value == 0.0 else 0.0)
    half = float(stdtrit(freedom, 0.5 + confidence / 2.0)) * error
    return Difference(
        value, value - half, value + half, 2.0 * float(stdtr(freedom, -abs(value) / error))
    )


def _standard_error(*groups: Sequence[Mean]) -> tuple[float, float]:
    """Of a sum of means of cells, each divided by its group's number of cells; and its degrees of freedom."""
    terms = [
        (cell.deviation**2 / cell.n / len(group) ** 2, cell.n) for group in groups for cell in group
    ]
    variance = math.fsum(term for term, _ in terms)
    if math.isnan(variance) or variance == 0.0:
        return variance, 1.0
    return math.sqrt(variance), variance**2 / math.fsum(term**2 / (n - 1) for term, n in terms)


def spread_ratio(
    ours: Sequence[float], theirs: Sequence[float], confidence: float = 0.95
) -> Difference:
    """Ratio of the standard deviations of two cells, by F (which assumes that scores are normal); p of a ratio of 1."""
    a, b = mean_interval(ours), mean_interval(theirs)
    if (
        math.isnan(a.deviation)
        or math.isnan(b.deviation)
        or b.deviation == 0.0
        or a.deviation == 0.0
    ):
        return Difference(math.nan, math.nan, math.nan, math.nan)
    ratio, tail = (a.deviation / b.deviation) ** 2, 0.5 - confidence / 2.0
    low, high = (ratio / float(fdtri(a.n - 1, b.n - 1, share)) for share in (1.0 - tail, tail))
    below = float(fdtr(a.n - 1, b.n - 1, ratio))
    return Difference(
        math.sqrt(ratio), math.sqrt(low), math.sqrt(high), 2.0 * min(below, 1.0 - below)
    )


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values of a family; NaN, a test that could not be made, counts as one of it and stays NaN."""
    order = sorted(range(len(values)), key=lambda i: (math.isnan(values[i]), values[i]))
    adjusted, worst = [math.nan] * len(values), 0.0
    for rank, index in enumerate(order):
        if not math.isnan(values[index]):
            worst = max(worst, min(1.0, (len(values) - rank) * values[index]))
            adjusted[index] = worst
    return adjusted


def benjamini_hochberg(values: Sequence[float]) -> list[float]:
    """Adjusted p values that bound the share of false discoveries; NaN counts and stays."""
    order = sorted(range(len(values)), key=lambda i: (math.isnan(values[i]), values[i]))
    adjusted, least = [math.nan] * len(values), 1.0
    for rank, index in reversed(list(enumerate(order, 1))):
        if not math.isnan(values[index]):
            least = min(least, values[index] * len(values) / rank)
            adjusted[index] = least
    return adjusted


def iqm(scores: Array) -> Array:
    """Interquartile mean over the last axis: the mean without the lowest and the highest quarter, counts rounded down."""
    cut = scores.shape[-1] // 4
    inner: Array = np.sort(scores, axis=-1)[..., cut : scores.shape[-1] - cut].mean(-1)
    return inner


def pooled_iqm(cells: Cells) -> float:
    """Interquartile mean of the runs of all tasks. Of two tasks with a collapsed seed in five it sees nothing."""
    return float(iqm(np.concatenate([np.asarray(scores, float) for scores in cells])))


def bootstrap(
    cells: Cells, statistic: Callable[[list[Array]], Array], confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of a statistic, seeds drawn with replacement within each task.

    `statistic` gets, for each task, scores [REPLICATIONS, n] and returns [REPLICATIONS].
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = [
        np.asarray(s, float)[generator.integers(0, len(s), (REPLICATIONS, len(s)))] for s in cells
    ]
    tail = 0.5 - confidence / 2.0
    low, high = np.quantile(statistic(drawn), (tail, 1.0 - tail))
    return float(low), float(high)


def iqm_interval(cells: Cells, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Stratified bootstrap interval of `pooled_iqm`."""
    return bootstrap(cells, lambda drawn: iqm(np.concatenate(drawn, axis=1)), confidence, seed)


def improvement(ours: Cells, theirs: Cells) -> float:
    """Probability of improvement: that a run of ours scores above one of theirs on its task, ties half; mean over tasks."""
    pairs = [
        _above(np.asarray(a, float), np.asarray(b, float))
        for a, b in zip(ours, theirs, strict=True)
    ]
    return float(np.mean(pairs))


def improvement_interval(
    ours: Cells, theirs: Cells, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Stratified bootstrap interval of `improvement`, both sides drawn anew."""
    count = len(ours)

    def statistic(drawn: list[Array]) -> Array:
        pairs = [_above(a, b) for a, b in zip(drawn[:count], drawn[count:], strict=True)]
        return np.mean(pairs, axis=0)  # type: ignore[no-any-return]

    return bootstrap([*ours, *theirs], statistic, confidence, seed)


def _above(a: Array, b: Array) -> Array:
    """Share of pairs in which a is above b, ties half, over the last axes."""
    gap = a[..., :, None] - b[..., None, :]
    share: Array = ((gap > 0.0) + 0.5 * (gap == 0.0)).mean((-2, -1))
    return share


def profile(cells: Cells, thresholds: Sequence[float]) -> list[float]:
    """Performance profile: share of runs above each threshold, every task weighing the same."""
    shares = [
        [float(np.mean(np.asarray(scores) > limit)) for scores in cells] for limit in thresholds
    ]
    return [math.fsum(row) / len(row) for row in shares]


def collapsed(scores: Sequence[float]) -> int:
    """Seeds that score less than a tenth of the median of their cell."""
    return sum(score < COLLAPSED * float(np.median(scores)) for score in scores)


BETS = (0.2, 0.5, 0.8)


def e_values(differences: Sequence[float], scale: float) -> list[float]:
    """Evidence against "no difference" after each pair: the larger of two one-sided betting processes, each half weighted.

    differences: of pairs with one seed index; clipped to +-`scale`, which must be fixed before they are seen. If both sides of
    a pair have the same distribution their difference is symmetric, clipping keeps its mean zero, and each product of
    (1 + bet x) has expectation one at any stopping time: 1 / alpha may be waited for, looking after every seed. Mixture over
    BETS (Waudby-Smith and Ramdas 2024).
    """
    wealth = np.ones((2, len(BETS)))
    found = list[float]()
    for value in differences:
        x = max(-1.0, min(1.0, value / scale))
        wealth *= 1.0 + np.outer([x, -x], BETS)
        found.append(float(wealth.mean()))
    return found
