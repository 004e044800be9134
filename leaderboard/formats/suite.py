"""suite.json: a plan's name, the changes to its suite, and what is claimed of it.

None of it decides a number, so none of it is part of the plan's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LONGEST_TEXT = 1000
"""Most characters of a text of a claim."""


@dataclass(frozen=True)
class Claim:
    """What a study tests."""

    claim: str
    """In words, with its source."""
    regime: str
    than: str
    """The regime it is compared with, or a published method."""
    relation: Literal["above", "below", "agrees"]
    figure: str
    """score, last, spread, or MODULE.DIAGNOSTIC at the last evaluation."""

    def __post_init__(self) -> None:
        for text in (self.claim, self.regime, self.than, self.figure):
            if len(text) > LONGEST_TEXT:
                raise ValueError(f"a text has {len(text)} characters, expected {LONGEST_TEXT}")


@dataclass(frozen=True)
class SuiteReference:
    """suite.json."""

    schema: Literal["urn:mst-bench:suite:v1"]
    name: str
    version: int
    changes: tuple[str, ...]
    """How the plan differs from the shipped suite of that name: a changed plan cannot be ranked."""
    claims: tuple[Claim, ...]
