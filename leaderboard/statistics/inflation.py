"""Tests whether claimed returns are higher than observed ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtr, ndtri, stdtr

from leaderboard.statistics.stats import mean_interval

LEVEL = 0.001
"""Level of the tests of single runs together (each gets its share), and of the pooled test: an
entry below it is refused."""
SMALLEST = 1e-300
"""Smallest p that still has a finite normal score."""


def inflated(claimed: Sequence[float], observed: Sequence[float]) -> tuple[float, float]:
    """(z, p) of the hypothesis that claimed episodes are not higher than observed ones.

    One-sided Welch test; the two have different start states. z is the normal score of p, so that
    runs can be pooled. A single episode does not show how much episodes vary: p is 0.5 then.
    """
    if min(len(claimed), len(observed)) < 2:
        return 0.0, 0.5
    a = mean_interval(claimed)
    b = mean_interval(observed)
    terms = [(cell.deviation**2 / cell.n, cell.n) for cell in (a, b)]
    variance = math.fsum(term for term, _ in terms)

    # Episodes that are all alike: any higher claim is inflated for certain.
    if not variance > 0.0:
        return (-float(ndtri(SMALLEST)), 0.0) if a.mean > b.mean else (0.0, 0.5)

    # Welch and Satterthwaite's degrees of freedom.
    freedom = variance**2 / math.fsum(term**2 / (n - 1) for term, n in terms)
    t = (a.mean - b.mean) / math.sqrt(variance)
    p = float(stdtr(freedom, -t))
    return -float(ndtri(max(p, SMALLEST))), p


def pooled(scores: Sequence[float]) -> tuple[float, float]:
    """(z, p) of all runs together: Stouffer's sum of their normal scores."""
    z = math.fsum(scores) / math.sqrt(len(scores))
    return z, float(ndtr(-z))
