"""A badge: what one says of a result in the width of a line."""

from __future__ import annotations

from dataclasses import dataclass

LETTER = 7
"""Width of a letter, about."""
MARGIN = 18
"""Around a text, both sides together."""
SETTLED, OPEN = "#14713c", "#5b6068"
"""Colours of an outcome that tells regimes apart, and of one that does not."""


@dataclass(frozen=True)
class Badge:
    """What templates/badge.svg is filled with."""

    name: str
    """Of what the badge is about: a suite."""
    outcome: str
    settled: bool

    @property
    def text(self) -> str:
        """For those who do not see it."""
        return f"{self.name}: {self.outcome}"

    @property
    def colour(self) -> str:
        return SETTLED if self.settled else OPEN

    @property
    def left(self) -> int:
        """Width of the name's half."""
        return MARGIN + LETTER * len(self.name)

    @property
    def width(self) -> int:
        return self.left + MARGIN + LETTER * len(self.outcome)
