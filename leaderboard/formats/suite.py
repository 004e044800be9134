"""suite.json: a plan's name, the changes to its suite, and what is claimed of it.

None of it decides a number, so none of it is part of the plan's id. What a plan may be called is
decided by its digest (shipped.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from leaderboard.formats.names import MODULE, check_name

SUITE_SCHEMA: Literal["urn:mst-bench:suite:v2"] = "urn:mst-bench:suite:v2"
LONGEST_TEXT = 1000
"""Most characters of a text of a claim, or of a change."""
MOST_CLAIMS = 1000
LARGEST_MARGIN = 1e9

RETURNS = ("score", "last", "auc")
"""Figures that are returns: more is better."""
LOSSES = ("spread", "failures")
"""Figures of which less is better: both are made of a regime's runs together."""
SLOPE = "slope:"
"""What begins the name of a diagnostic's change over a run."""
DIAGNOSTIC = rf"({SLOPE})?{MODULE}\.[a-z][a-z0-9_]{{0,59}}"
"""Figures that are diagnostics, whether more or less of them is better."""
ZERO = "zero"
"""What a diagnostic is compared with where a fixed level decides: the margin is the level then."""


def diagnostic_of(figure: str) -> tuple[str, str]:
    """Module and diagnostic that a figure is of, or whose slope it is; empty for any other one."""
    module, dot, diagnostic = figure.removeprefix(SLOPE).partition(".")
    return (module, diagnostic) if dot else ("", "")


@dataclass(frozen=True)
class Claim:
    """One test of a claim, declared before any run: a regime's figure beside another one's.

    The report works out its verdict (leaderboard/statistics/claims.py).
    """

    id: str
    """Of the claim in the registry; a claim with several tests has several ids: A3a, A3b."""
    statement: str
    """What is claimed, in the source's sense."""
    source: str
    """arXiv number with its section or figure, or `ours`."""
    family: str
    """Tests that are adjusted together: every family keeps its own 5 percent."""
    regime: str
    """The regime that the claim is about."""
    than: str
    """The regime it is compared with, a method of the reference rows, or `zero`."""
    figure: str
    """score: of the final policy. last: mean return of the last scheduled evaluation. auc: mean of
    the learning curve. spread: how far the scores of seeds scatter. failures: share of runs that
    failed or collapsed. MODULE.DIAGNOSTIC: at the last evaluation. slope:MODULE.DIAGNOSTIC: its
    least-squares change over the whole run."""
    rule: Literal["above", "below", "no-worse", "equivalent"]
    """above, below: better or worse by more than the margin. no-worse: worse by less than the
    margin. equivalent: nearer than the margin, on each task."""
    margin: float
    """The smallest difference that counts, in `unit`. Of spreads it is a ratio from 1 on, of
    failures a difference of shares."""
    unit: Literal["share", "own"] = "share"
    """share: of `than`'s mean. own: the figure's own unit."""
    over: Literal["mean", "each"] = "mean"
    """mean: of all tasks together. each: every task must show it by itself."""
    paired: bool = False
    """Whether runs of equal seeds are compared pair by pair."""

    def __post_init__(self) -> None:
        for text in (self.statement, self.source):
            if not text.strip() or len(text) > LONGEST_TEXT:
                raise ValueError(f"a text has {len(text)} characters, expected 1 to {LONGEST_TEXT}")
        for called in ("id", "family", "regime", "than"):
            check_name(getattr(self, called), called)
        if self.figure not in (*RETURNS, *LOSSES) and not re.fullmatch(DIAGNOSTIC, self.figure):
            raise ValueError(
                f"figure {self.figure[:80]!r}: expected {', '.join((*RETURNS, *LOSSES))},"
                " MODULE.DIAGNOSTIC or slope:MODULE.DIAGNOSTIC"
            )
        self._check_margin()
        self._check_rule()

    def _check_margin(self) -> None:
        """A margin has a unit that its figure can be measured in."""
        if not 0.0 < self.margin <= LARGEST_MARGIN:
            raise ValueError(f"margin is {self.margin}, expected above 0, at most {LARGEST_MARGIN}")
        if self.figure == "spread" and (self.margin < 1.0 or self.unit != "share"):
            raise ValueError("margin: of spreads it is a ratio of at least 1, of unit share")

        # A share of a rate or of a slope near zero would be no margin at all.
        if (self.figure == "failures" or self.figure.startswith(SLOPE)) and self.unit != "own":
            raise ValueError(f"unit: a margin of {self.figure} is in its own unit")
        below_one = self.rule != "above" and self.unit == "share" and self._is_mean
        if (below_one or self.figure == "failures") and self.margin >= 1.0:
            raise ValueError(f"margin is {self.margin}, expected a share below 1")

    def _check_rule(self) -> None:
        """A rule is one that its figure can be judged by."""
        if self.regime == self.than:
            raise ValueError(f"than: {self.than} is compared with another, not with itself")
        if self.rule == "no-worse" and self.figure not in (*RETURNS, *LOSSES):
            raise ValueError(f"rule: nobody said which {self.figure} is worse; use above or below")
        if self.rule == "equivalent" and self.over != "each":
            raise ValueError("over: an equivalence holds on each task")
        if self.paired and not self._is_mean:
            raise ValueError(f"paired: {self.figure} belongs to all seeds together")
        if self.than == ZERO:
            self._check_level()

    def _check_level(self) -> None:
        """A fixed level is one of a diagnostic, in its own unit."""
        if self.figure in (*RETURNS, *LOSSES):
            raise ValueError(f"than: {self.figure} is compared with that of others, not with zero")
        if self.unit != "own" or self.paired:
            raise ValueError("than: zero has no shares and no seeds; unit is own, paired is not")

    @property
    def _is_mean(self) -> bool:
        """Whether a single run has the figure, so that means of it are compared."""
        return self.figure not in LOSSES


@dataclass(frozen=True)
class SuiteReference:
    """suite.json: the suite that a plan was made from."""

    schema: Literal["urn:mst-bench:suite:v2"]
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
