"""Tests of claimed against observed returns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtr, ndtri, stdtr

from leaderboard.statistics.stats import mean_interval

LEVEL = 0.001
"""Of the tests of all runs one by one (each gets its share), and of the pooled one: below it an entry is refused."""
SMALLEST = 1e-300


def inflated(claimed: Sequence[float], observed: Sequence[float]) -> tuple[float, float]:
    """(z, p) of claimed episodes not being higher than observed ones on other start states: Welch, one-sided.

    z is the normal score of p, so that runs can be pooled. One episode alone says nothing of how much they vary: p is 0.5 then.
    """
    if min(len(claimed), len(observed)) < 2:
        return 0.0, 0.5
    a, b = mean_interval(claimed), mean_interval(observed)
    terms = [(cell.deviation**2 / cell.n, cell.n) for cell in (a, b)]
    variance = math.fsum(term for term, _ in terms)
    if not variance > 0.0:  # episodes that are all alike
        return (0.0, 0.5) if not a.mean > b.mean else (-float(ndtri(SMALLEST)), 0.0)
    freedom = variance**2 / math.fsum(term**2 / (n - 1) for term, n in terms)
    t = (a.mean - b.mean) / math.sqrt(variance)
    p = float(stdtr(freedom, -t))
    return -float(ndtri(max(p, SMALLEST))), p


def pooled(scores: Sequence[float]) -> tuple[float, float]:
    """(z, p) of all runs together: Stouffer's sum of their scores."""
    z = math.fsum(scores) / math.sqrt(len(scores))
    return z, float(ndtr(-z))
