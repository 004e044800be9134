"""The statement of a re-evaluation: which policies of an entry were rolled out again, and how they
did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leaderboard.formats.layout import ENTRY
from leaderboard.formats.manifest import Hardware
from leaderboard.formats.signed import SignedError, SignedPredicate, read_signed
from leaderboard.formats.statement import statement_document

REEVAL_TYPE = "urn:mst-bench:reeval:v1"
REEVAL_SCHEMA = "reeval.v1.json"

Level = Literal["L0", "L1", "L2"]
"""How far an entry was checked: L0 signed and consistent, L1 every policy rolled out again, L2 some
runs trained again."""


@dataclass(frozen=True)
class RolledOut:
    """One policy, rolled out again."""

    run: str
    """`task/regime/seed`"""
    repeated: bool
    """Whether the claimed returns came out again, to the bit."""
    claimed: float
    observed: float
    """Mean return on the fresh stream."""
    p: float
    """Probability of a claim as high if it is honest."""
    defect: str | None


@dataclass(frozen=True)
class TrainedAgain:
    """One run, trained again."""

    run: str
    """`task/regime/seed`"""
    repeated: bool
    """Whether its records came out again, to the byte."""
    claimed: float | None
    observed: float | None
    defect: str | None


@dataclass(frozen=True)
class Reevaluation(SignedPredicate):
    """What a re-evaluation states."""

    plan: str
    """Id of the entry's plan."""
    level: Level
    accepted: bool
    nonce: str
    same_platform: bool
    """Whether bits had to come out again."""
    pooled_z: float | None
    runs: tuple[RolledOut, ...]
    retrained: tuple[TrainedAgain, ...]
    versions: dict[str, str]
    hardware: Hardware
    fingerprints: dict[str, str]
    time: str


def reeval_document(entry_sha256: str, reevaluation: Reevaluation) -> dict[str, object]:
    """The statement about an entry, to be signed."""
    return statement_document(REEVAL_TYPE, {ENTRY: entry_sha256}, reevaluation)


def read_reeval(path: Path, entry_sha256: str, trust: Path | None) -> Reevaluation:
    """A re-evaluation of this very entry that accepted it; SignedError if it is none."""
    # A statement may be copied beside another entry: the digest says whose it is.
    statement = read_signed(path, REEVAL_SCHEMA, Reevaluation, trust)
    if statement.subject[0].digest.sha256 != entry_sha256:
        raise SignedError(f"{path}: is about another entry")
    if not statement.predicate.accepted:
        raise SignedError(f"{path}: refused this entry")
    return statement.predicate
