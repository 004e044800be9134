"""When masks change, and by how much: pure functions of a module's own update count."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Never:
    """The mask stays as it was drawn."""

    def drop_fraction(self, update: int) -> float:
        return 0.0


@dataclass(frozen=True)
class Cosine:
    """RigL's schedule: every `interval` updates, a cosine-decayed share of each layer's active weights.

    f(t) = fraction / 2 (1 + cos(pi t / end)) for t = interval, 2 interval, .. < end (arXiv 1911.11134, section 3).
    """

    interval: int
    """Module updates between rewires."""
    fraction: float
    """Share of a layer's active weights dropped at t = 0."""
    end: int
    """First update at which nothing is rewired any more."""

    def drop_fraction(self, update: int) -> float:
        """Share of active weights to drop after module update `update` (counted from 1); 0 when not due."""
        if update == 0 or update % self.interval or update >= self.end:
            return 0.0
        return self.fraction / 2.0 * (1.0 + math.cos(math.pi * update / self.end))


Schedule = Never | Cosine
