"""How far two regimes are apart, beside a margin that was fixed before: of means, spreads and
rates, each with both one-sided p values.

A margin carries errors of its own where it is a share of an estimated mean. So the test is one of
ours - (1 + margin) theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol

from scipy.special import ndtr, stdtr

from leaderboard.statistics.stats import Mean, mean_interval, standard_error

Cell = Sequence[float] | Mean
"""The figures of the seeds of one task, or their mean where only that was published."""
Cells = Sequence[Cell]


@dataclass(frozen=True)
class Comparison:
    """Ours beside theirs; NaN where seeds are too few."""

    value: float
    """Difference, difference as a share of theirs, or ratio of spreads."""
    limit: float
    """The margin, in the unit of `value`."""
    above: float
    """One-sided p value for: the true value is above the limit."""
    below: float
    """One-sided p value for: the true value is below the limit."""


NOTHING = Comparison(math.nan, math.nan, math.nan, math.nan)


class Measure(Protocol):
    """A way to compare two regimes."""

    def __call__(self, ours: Cells, theirs: Cells, margin: float) -> Comparison: ...


# -- means --


def shares(ours: Cells, theirs: Cells, margin: float) -> Comparison:
    """Difference of the means over tasks as a share of theirs, like the margin. Welch's t."""
    return _of_share(_welch, ours, theirs, margin)


def differences(ours: Cells, theirs: Cells, margin: float) -> Comparison:
    """Difference of the means over tasks; the margin is in the figure's unit. Welch's t."""
    return _welch(ours, theirs, 1.0, margin)


def paired_shares(ours: Cells, theirs: Cells, margin: float) -> Comparison:
    """`shares` of pairs with equal seeds, in the same order on both sides. Student's t."""
    return _of_share(_student, ours, theirs, margin)


def paired_differences(ours: Cells, theirs: Cells, margin: float) -> Comparison:
    """`differences` of pairs with equal seeds, in the same order on both sides. Student's t."""
    return _student(ours, theirs, 1.0, margin)


def _of_share(
    test: Callable[[Cells, Cells, float, float], Comparison],
    ours: Cells,
    theirs: Cells,
    margin: float,
) -> Comparison:
    """`test` beside a share of the size of their mean; nothing is a share of zero."""
    middle = math.fsum(_mean(cell).mean for cell in theirs) / len(theirs)
    factor = 1.0 + math.copysign(margin, margin * middle)
    comparison = test(ours, theirs, factor, margin * abs(middle))
    value = comparison.value / abs(middle) if middle else math.nan
    return replace(comparison, value=value, limit=margin)


def _welch(ours: Cells, theirs: Cells, factor: float, limit: float) -> Comparison:
    """Two independent sides. `factor`: what theirs are multiplied by in the test."""
    a = [_mean(cell) for cell in ours]
    b = [_mean(cell) for cell in theirs]
    value = math.fsum(x.mean - y.mean for x, y in zip(a, b, strict=True)) / len(a)
    scaled = [Mean(y.n, factor * y.mean, factor * y.deviation, math.nan) for y in b]
    return _from_t(value, limit, *standard_error(a, scaled), smallest_p(ours, theirs))


def _student(ours: Cells, theirs: Cells, factor: float, limit: float) -> Comparison:
    """Pairs, a row of differences a task."""
    value = 0.0
    pairs = list[Mean]()
    for a, b in zip(ours, theirs, strict=True):
        assert not isinstance(a, Mean), "pairs need the figures of every seed"
        assert not isinstance(b, Mean), "pairs need the figures of every seed"
        value += (mean_interval(a).mean - mean_interval(b).mean) / len(ours)
        pairs.append(mean_interval([x - factor * y for x, y in zip(a, b, strict=True)]))
    chance = 0.5 ** sum(pair.n for pair in pairs)
    return _from_t(value, limit, *standard_error(pairs), chance)


def _from_t(value: float, limit: float, error: float, freedom: float, chance: float) -> Comparison:
    """From the standard error of the difference less the limit, and its degrees of freedom.

    `chance`: the p value of figures that do not scatter at all, which no t test can know.
    """
    if math.isnan(error):
        return NOTHING
    excess = value - limit
    if error == 0.0:
        above = chance if excess > 0.0 else 1.0
        below = chance if excess < 0.0 else 1.0
        return Comparison(value, limit, above, below)
    t = excess / error
    return Comparison(value, limit, float(stdtr(freedom, -t)), float(stdtr(freedom, t)))


def smallest_p(ours: Cells, theirs: Cells) -> float:
    """The smallest p value that seeds alone can give: of all orders of both sides' seeds this one
    came, or of all signs beside a known mean. Two seeds a side decide nothing, however alike."""
    orders = [
        2 ** _mean(a).n if isinstance(b, Mean) else math.comb(_mean(a).n + len(b), len(b))
        for a, b in zip(ours, theirs, strict=True)
    ]
    return 1 / math.prod(orders)  # of whole numbers, which no float need hold


def _mean(cell: Cell) -> Mean:
    return cell if isinstance(cell, Mean) else mean_interval(cell)


# -- spreads --


def spreads(ours: Cells, theirs: Cells, margin: float) -> Comparison:
    """Ratio of the spreads within tasks; the margin is a ratio.

    Brown and Forsythe's test: distances from the median are compared as means are, here with the
    zeros taken out that a median makes (Hines and Hines 2000). A task's distances are divided by
    their mean over both sides, so that every task counts the same; degrees of freedom are pooled.
    """
    a_terms = list[Mean]()
    b_terms = list[Mean]()
    for a, b in zip(ours, theirs, strict=True):
        assert not isinstance(a, Mean), "a spread needs the figures of every seed"
        assert not isinstance(b, Mean), "a spread needs the figures of every seed"
        if min(len(a), len(b)) < 3:
            return NOTHING
        x = distances(a)
        y = distances(b)
        unit = (math.fsum(x) / len(x) + math.fsum(y) / len(y)) / 2.0 or 1.0
        a_terms.append(mean_interval([value / unit for value in x]))
        b_terms.append(mean_interval([value / unit for value in y]))
    return _ratio(a_terms, b_terms, margin)


def distances(scores: Sequence[float]) -> list[float]:
    """Absolute distances of n >= 3 scores from their median, without those that say nothing: n - 1.

    Of an odd number one is zero whatever the spread: it is left out. Of an even number the two in
    the middle are equal: their sum and difference over sqrt 2 stand for them, and the difference,
    zero, is left out.
    """
    middle = median(scores)
    ordered = sorted(abs(score - middle) for score in scores)
    if len(scores) % 2 == 0:
        ordered[1] *= math.sqrt(2.0)
    return ordered[1:]


def _ratio(a: list[Mean], b: list[Mean], margin: float) -> Comparison:
    """Ratio of two means, by the t test of ours - ratio theirs."""
    mean_a = math.fsum(cell.mean for cell in a) / len(a)
    mean_b = math.fsum(cell.mean for cell in b) / len(b)
    if mean_b == 0.0:
        return NOTHING
    error_a, _ = standard_error(a)
    error_b, _ = standard_error(b)
    freedom = math.fsum(cell.n - 1 for cell in (*a, *b))

    error = math.hypot(error_a, margin * error_b)
    excess = mean_a - margin * mean_b
    if error == 0.0:
        chance = 1 / math.prod(math.comb(x.n + y.n, x.n) for x, y in zip(a, b, strict=True))
        p_above = chance if excess > 0.0 else 1.0
        p_below = chance if excess < 0.0 else 1.0
    else:
        p_above = float(stdtr(freedom, -excess / error))
        p_below = float(stdtr(freedom, excess / error))
    return Comparison(mean_a / mean_b, margin, p_above, p_below)


# -- rates --


def rates(ours: Cells, theirs: Cells, margin: float) -> Comparison:
    """Difference of rates, mean over tasks; cells hold zeros and ones, the margin is a rate.

    The score test of Farrington and Manning with Miettinen and Nurminen's variance, summed over
    tasks.
    """
    counts = list[tuple[float, int, float, int]]()
    for a, b in zip(ours, theirs, strict=True):
        assert not isinstance(a, Mean), "a rate needs the figures of every seed"
        assert not isinstance(b, Mean), "a rate needs the figures of every seed"
        if min(len(a), len(b)) < 2:
            return NOTHING
        counts.append((math.fsum(a) / len(a), len(a), math.fsum(b) / len(b), len(b)))

    value = math.fsum(a - b for a, _, b, _ in counts) / len(counts)
    z = _score(counts, margin)
    return Comparison(value, margin, float(ndtr(-z)), float(ndtr(z)))


def _score(counts: Sequence[tuple[float, int, float, int]], difference: float) -> float:
    """z of the observed difference if the true one is `difference`."""
    excess = math.fsum(a - b - difference for a, _, b, _ in counts)
    variance = math.fsum(restricted_variance(*cell, difference) for cell in counts)
    if variance <= 0.0:
        return 0.0 if abs(excess) < 1e-12 else math.copysign(math.inf, excess)
    return excess / math.sqrt(variance)


def restricted_variance(a: float, n_a: int, b: float, n_b: int, difference: float) -> float:
    """Variance of a - b at the likeliest true rates that are `difference` apart.

    They follow from a cubic equation (Farrington and Manning 1990, appendix).
    """
    ratio = n_b / n_a
    third = 1.0 + ratio
    second = -(1.0 + ratio + a + ratio * b + difference * (ratio + 2.0))
    first = difference**2 + difference * (2.0 * a + ratio + 1.0) + a + ratio * b
    constant = -a * difference * (1.0 + difference)

    v = second**3 / (3.0 * third) ** 3 - second * first / (6.0 * third**2) + constant / 2.0 / third
    u = math.sqrt(max(0.0, (second / (3.0 * third)) ** 2 - first / (3.0 * third)))
    u = math.copysign(u, v)
    cosine = max(-1.0, min(1.0, v / u**3)) if u**3 else 1.0
    rate_a = 2.0 * u * math.cos((math.pi + math.acos(cosine)) / 3.0) - second / (3.0 * third)

    # Rounding may leave the unit square by a little.
    rate_a = min(1.0, 1.0 + difference, max(0.0, difference, rate_a))
    rate_b = min(1.0, max(0.0, rate_a - difference))
    total = n_a + n_b
    return (rate_a * (1.0 - rate_a) / n_a + rate_b * (1.0 - rate_b) / n_b) * total / (total - 1.0)
