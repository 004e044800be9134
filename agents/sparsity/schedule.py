"""When masks change, and by how much: pure functions of a module's own update count."""

from __future__ import annotations

import math
from dataclasses import dataclass


def cubic(share: float) -> float:
    """Progress of gradual pruning after a share u of its time: 1 - (1 - u)^3.

    Source: Zhu and Gupta 2017, equation 1.
    """
    return 1.0 - (1.0 - share) ** 3


def cosine_rate(share: float) -> float:
    """Progress of growth whose rate decays to zero as a half cosine: u + sin(pi u) / pi."""
    return share + math.sin(math.pi * share) / math.pi


@dataclass(frozen=True)
class Never:
    """The mask stays as it was drawn."""

    def due(self, update: int) -> bool:
        return False

    def exchanged(self, update: int) -> float:
        return 0.0

    def progress(self, update: int) -> float:
        return 0.0


@dataclass(frozen=True)
class Exchange:
    """RigL's schedule: exchanges a cosine-decayed share of each layer's active weights.

    f(t) = fraction / 2 (1 + cos(pi (t - start) / (end - start))) for multiples t of `interval`,
    start < t < end (arXiv 1911.11134, section 3, whose start is 0).
    """

    interval: int
    """Module updates between rewires."""
    fraction: float
    """Share of a layer's active weights that is exchanged at the start."""
    start: int
    """Last update before changes begin."""
    end: int
    """First update at which nothing changes any more."""

    def due(self, update: int) -> bool:
        """Whether masks change after module update `update` (counted from 1)."""
        return update % self.interval == 0 and self.start < update < self.end

    def exchanged(self, update: int) -> float:
        """Share of active weights to drop, and to grow elsewhere, after a due update."""
        share = math.pi * (update - self.start) / (self.end - self.start)
        return self.fraction / 2.0 * (1.0 + math.cos(share))

    def progress(self, update: int) -> float:
        return 0.0


@dataclass(frozen=True)
class Move:
    """Moves the number of active weights from its first to its last value.

    It changes at multiples t of `interval`, start < t <= end. The last of these multiples reaches
    the last value exactly, so the schedule ends there and not at `end`.
    """

    interval: int
    start: int
    end: int
    pruning: bool
    """Whether it follows `cubic`, otherwise `cosine_rate`."""

    @property
    def last(self) -> int:
        """The update at which the last value is reached."""
        return self.end // self.interval * self.interval

    def due(self, update: int) -> bool:
        """Whether masks change after module update `update` (counted from 1)."""
        return update % self.interval == 0 and self.start < update <= self.last

    def exchanged(self, update: int) -> float:
        return 0.0

    def progress(self, update: int) -> float:
        """Progress of the counts after module update `update`: from 0 at the start to 1."""
        if update <= self.start:
            return 0.0
        if update >= self.last:
            return 1.0
        share = (update - self.start) / (self.last - self.start)
        return cubic(share) if self.pruning else cosine_rate(share)


Schedule = Never | Exchange | Move
