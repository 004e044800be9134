"""suite.json: a plan's name, the changes to its suite, and what is claimed of it.

None of it decides a number, so none of it is part of the plan's id. What a plan may be called is
decided by its digest (shipped.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leaderboard.formats.names import check_name

SUITE_SCHEMA: Literal["urn:mst-bench:suite:v1"] = "urn:mst-bench:suite:v1"
LONGEST_TEXT = 1000
"""Most characters of a text of a claim, or of a change."""
MOST_CLAIMS = 1000


@dataclass(frozen=True)
class Claim:
    """What a study tests; the report works out its verdict (leaderboard/statistics/claims.py)."""

    claim: str
    """In words, with its source."""
    regime: str
    """The regime that the claim is about."""
    than: str
    """The regime it is compared with, or a method of the reference rows."""
    relation: Literal["above", "below", "agrees"] = "above"
    """What is claimed of the regime's figure; `agrees`: a narrow interval around it holds a
    published mean."""
    figure: str = "score"
    """`score`, `last` (the last scheduled evaluation's mean return), `spread` (standard deviation
    of the score over seeds), or MODULE.DIAGNOSTIC at the last evaluation."""

    def __post_init__(self) -> None:
        for text in (self.claim, self.regime, self.than, self.figure):
            if len(text) > LONGEST_TEXT:
                raise ValueError(f"a text has {len(text)} characters, expected {LONGEST_TEXT}")


@dataclass(frozen=True)
class SuiteReference:
    """suite.json: the suite that a plan was made from."""

    schema: Literal["urn:mst-bench:suite:v1"]
    name: str
    """A shipped suite's, if the plan is that suite's; else one that begins with `own-`."""
    version: int
    changes: tuple[str, ...]
    """How the plan came to differ from the suite that it was made from, as its maker says."""
    claims: tuple[Claim, ...]
    """What a study tests."""

    def __post_init__(self) -> None:
        check_name(self.name, "suite")
        if self.version < 1:
            raise ValueError(f"version is {self.version}, expected at least 1")
        if len(self.claims) > MOST_CLAIMS:
            raise ValueError(f"has {len(self.claims)} claims, expected at most {MOST_CLAIMS}")
