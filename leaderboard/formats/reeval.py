"""The statement of a re-evaluation: what a stranger measured of an entry's policies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leaderboard.formats.layout import ENTRY
from leaderboard.formats.log.beacon import REEVALUATION, Round, draw
from leaderboard.formats.log.leaf import EntryLeaf
from leaderboard.formats.manifest import Hardware
from leaderboard.formats.run import StatedRun
from leaderboard.formats.signed import Signed, SignedError, SignedPredicate, read_signed
from leaderboard.formats.statement import statement_document

REEVAL_TYPE = "urn:mst-bench:reeval:v3"
REEVAL_SCHEMA = "reeval.v3.json"

NONCE_DIGITS = 32

Level = Literal["L0", "L1", "L2", "L3"]
"""How far an entry was checked.

L0: one key signed these bytes, and the figures agree with each other and with the plan.
L1: someone else rolled out every policy; the scores are what that person measured.
L2: someone else also trained runs again that chance drew, and they came out the same.
L3: a runner of the board also trained every run again, and they came out the same.
"""


@dataclass(frozen=True)
class RolledOut:
    """One policy, rolled out on episodes that nobody knew before."""

    run: str
    """`task/regime/seed`"""
    repeated: bool
    """Whether the claimed returns came out again, to the bit, on the claimed episodes."""
    claimed: float
    """The score that the entry states."""
    fresh: float
    """Mean return of the fresh episodes: the score from L1 on."""
    p: float
    """Probability of a claim as far from it, if the claim is honest."""


@dataclass(frozen=True)
class Cell:
    """The runs of one task and regime together."""

    cell: str
    """`task/regime`"""
    difference: float
    """Mean claim less mean fresh score."""
    p: float


@dataclass(frozen=True)
class TrainedAgain:
    """One run, trained again."""

    run: str
    """`task/regime/seed`"""
    repeated: bool
    """Whether its records came out again, to the byte."""
    fresh: float | None
    """Mean return of the retrained policy on the run's fresh episodes; None if it failed."""


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of the retrained scores against the entry's fresh ones."""

    low: float | None
    """Of the 90 percent interval of the mean difference; None below three runs."""
    high: float | None
    margin: float
    """Differences within it count as none."""
    power: float
    """Probability of the tests to pass if nothing differs."""
    equivalent: bool


@dataclass(frozen=True)
class Drawn:
    """What the fresh streams follow from: a leaf of a board's log, and a later round."""

    index: int
    """Position of the leaf that accepted the entry."""
    round: Round

    def nonce(self, origin: str, leaf: EntryLeaf) -> str:
        """The name of the streams; nobody could choose it."""
        return draw(REEVALUATION, origin, self.index, leaf.content(), self.round)[:NONCE_DIGITS]


@dataclass(frozen=True)
class Reevaluation(SignedPredicate):
    """What a re-evaluation states."""

    plan: str
    """Id of the entry's plan."""
    nonce: str
    """Names the fresh streams; it was drawn after the entry was signed."""
    drawn: Drawn | None
    """What the nonce follows from; None: the evaluator drew it."""
    fresh_episodes: int
    """Of each policy."""
    differs: tuple[str, ...]
    """How this machine differs from the one that the entry names; without any difference, every bit
    must come out again."""
    defects: tuple[str, ...]
    """What contradicts the entry."""
    runs: tuple[RolledOut, ...]
    cells: tuple[Cell, ...]
    retrained: tuple[TrainedAgain, ...]
    equivalence: Equivalence | None
    """None if no run was trained again, or every one came out the same to the byte."""
    versions: dict[str, str]
    hardware: Hardware
    fingerprints: dict[str, str]
    time: str

    @property
    def accepted(self) -> bool:
        """Whether nothing contradicts the entry."""
        return not self.defects

    def trained_all(self, runs: Sequence[StatedRun]) -> bool:
        """Whether all runs of an entry that ended were trained again, and came out the same."""
        ended = {run.name for run in runs if not run.missing}
        return self.level == "L2" and {run.run for run in self.retrained} == ended

    @property
    def level(self) -> Level:
        """What follows from it; it is not stated. Who a board's runners are, only its log says."""
        if not self.accepted:
            return "L0"
        repeated = all(run.repeated for run in self.retrained)
        equivalent = self.equivalence is not None and self.equivalence.equivalent
        return "L2" if self.retrained and (repeated or equivalent) else "L1"


def reeval_document(payload_sha256: str, reevaluation: Reevaluation) -> dict[str, object]:
    """The statement about the entry whose payload has this digest, to be signed."""
    return statement_document(REEVAL_TYPE, {ENTRY: payload_sha256}, reevaluation)


def read_reeval(path: Path, payload_sha256: str, trust: Path | None) -> Signed[Reevaluation]:
    """A re-evaluation of this very entry that accepted it; SignedError if it is none."""
    # A statement may be copied beside another entry: the digest says whose it is.
    signed = read_signed(path, REEVAL_SCHEMA, Reevaluation, trust, "reevaluator")
    if signed.statement.subject[0].digest.sha256 != payload_sha256:
        raise SignedError(f"{path}: is about another entry")
    defects = signed.statement.predicate.defects
    if defects:
        raise SignedError(f"{path}: refused this entry: {defects[0]}")
    return signed
