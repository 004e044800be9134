"""Rank intervals: the places in a table that a row may have, given how its seeds scatter.

Every pair of rows is compared by Welch's t on the mean of the tasks' means. A row that is better of
a pair was perhaps the best of several that its maker registered, so the pair's p value is
multiplied by their number. Holm adjusts all pairs together, and a row is above another where that p
value is below LEVEL. Its rank is then between one more than the rows above it, and the number of
rows less those below it: with a chance of 95 percent no rank interval of the table is wrong.

The intervals belong to the whole table. A filter hides rows and moves none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from leaderboard.statistics.measures import smallest_p
from leaderboard.statistics.rules import LEVEL
from leaderboard.statistics.stats import FEW, Cells, holm, mean_interval, standard_error

SETTLED = 10
"""Number of seeds below which a rank is marked: intervals of fewer are wide, and rougher."""
LEAST = FEW
"""Number of seeds below which a row has no rank."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Contender:
    """A row that is compared with the others of its table."""

    cells: Cells
    """For each task what its seeds count as; the tasks in the same order in all rows."""
    registrations: int = 1
    """Plans that its maker registered for it; one of them is shown."""

    def __post_init__(self) -> None:
        if self.registrations < 1:
            raise ValueError("a row was registered at least once")
        if seeds(self.cells) < LEAST:
            raise ValueError(f"has fewer than {LEAST} seeds on some task: too few for a rank")


@dataclass(frozen=True)
class RankInterval:
    """The places that a row may have, both included; 1 is the best."""

    best: int
    worst: int


def seeds(cells: Cells) -> int:
    """Number of seeds of the task that has fewest; 0 without any task."""
    return min((len(scores) for scores in cells), default=0)


def rank_intervals(rows: Sequence[Contender]) -> list[RankInterval]:
    """The rank interval of each row. Compare all rows of a table at once: intervals of a part of it
    are others."""
    above = separated(rows)
    count = len(rows)
    return [
        RankInterval(1 + int(above[:, row].sum()), count - int(above[row].sum()))
        for row in range(count)
    ]


def separated(rows: Sequence[Contender]) -> NDArray[np.bool_]:
    """Which row is shown to be above which: [above, below]."""
    above = np.zeros((len(rows), len(rows)), dtype=np.bool_)
    upper, lower, p = pairs_of(rows)
    for first, second, adjusted in zip(upper, lower, holm(p.tolist()), strict=True):
        above[first, second] = adjusted < LEVEL
    return above


def pairs_of(rows: Sequence[Contender]) -> tuple[Array, Array, Array]:
    """Every pair: the row with the higher mean, the other one, and their p value: three [pairs]."""
    cells = [[mean_interval(scores) for scores in row.cells] for row in rows]
    means = np.array([math.fsum(cell.mean for cell in row) / len(row) for row in cells])
    first, second = np.triu_indices(len(rows), 1)
    ahead = means[first] >= means[second]
    upper = np.where(ahead, first, second)
    lower = np.where(ahead, second, first)

    # Two rows that do not scatter have no t test.
    gap = means[upper] - means[lower]
    p = _welch(gap, [standard_error(row) for row in cells], upper, lower)
    for pair in np.flatnonzero(np.isnan(p)):
        chance = smallest_p(rows[upper[pair]].cells, rows[lower[pair]].cells)
        p[pair] = 2.0 * chance if gap[pair] > 0.0 else 1.0

    # The luckiest of several registrations is shown.
    times = np.array([row.registrations for row in rows], dtype=np.float64)
    return upper, lower, np.minimum(1.0, p * times[upper])


def _welch(gap: Array, errors: Sequence[tuple[float, float]], upper: Array, lower: Array) -> Array:
    """Two-sided p values of pairs [pairs], as of `stats.difference`; NaN where nothing scatters.

    `errors`: standard error and degrees of freedom of each row.
    """
    # Welch and Satterthwaite's degrees of freedom, for all pairs at once.
    variances = np.array([error**2 for error, _ in errors])
    roughness = np.array([error**4 / freedom for error, freedom in errors])
    variance = variances[upper] + variances[lower]
    rough = roughness[upper] + roughness[lower]
    scatters = rough > 0.0
    freedom = np.divide(variance**2, rough, out=np.ones_like(gap), where=scatters)
    t = np.divide(gap, np.sqrt(variance), out=np.full_like(gap, np.nan), where=scatters)
    p: Array = 2.0 * stdtr(freedom, -t)
    return p
