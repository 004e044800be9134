"""Statistics of scores; the unit of replication is the training seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its t interval."""

    n: int
    mean: float
    deviation: float
    """Sample standard deviation over seeds; NaN for one seed."""
    half_width: float
    """Half of the 95 percent t interval; NaN for one seed."""


def mean_interval(scores: Sequence[float], confidence: float = 0.95) -> Mean:
    """Mean over seeds with a two-sided t interval of n - 1 degrees of freedom."""
    from scipy.special import stdtrit  # quantiles of Student's t, without the seconds that scipy.stats takes to import

    n = len(scores)
    mean = math.fsum(scores) / n
    if n < 2:
        return Mean(n, mean, math.nan, math.nan)
    deviation = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (n - 1))
    return Mean(n, mean, deviation, float(stdtrit(n - 1, 0.5 + confidence / 2.0)) * deviation / math.sqrt(n))
