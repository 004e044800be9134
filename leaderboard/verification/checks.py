"""What checks of an entry are made of: their outcome, the verdict, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from leaderboard.board.log import BoardLog
from leaderboard.board.views import ForkError, View
from leaderboard.formats.envelope import Envelope
from leaderboard.formats.log.checkpoint import SignedCheckpoint
from leaderboard.formats.log.root import Root
from leaderboard.formats.manifest import Manifest
from leaderboard.formats.plan import Plan
from leaderboard.formats.reeval import Level, Reevaluation
from leaderboard.formats.registration import RegisteredPlan
from leaderboard.formats.run import StatedRun
from leaderboard.formats.signed import Signed
from leaderboard.formats.statement import Predicate, Statement
from leaderboard.formats.suite import SuiteReference
from leaderboard.verification.files import SignedFiles

Status = Literal["passed", "failed", "unknown"]
ORDER = ("registration", "witnessed", "beacon")
"""Checks that prove that the plan came before its seeds."""


class Defect(ValueError):
    """A check failed; the text says how."""


@dataclass(frozen=True)
class Check:
    """One named check and how it went."""

    name: str
    status: Status
    detail: str
    """In words, for people."""
    level: Level | None = None
    """How far the entry was checked, if this check shows it."""


@dataclass(frozen=True)
class Documents:
    """What an accepted entry states, built from the bytes whose digests were checked."""

    statement: Statement[Predicate]
    plan: Plan
    suite: SuiteReference
    manifest: Manifest
    files: SignedFiles
    """Reads what else was signed, and nothing else."""
    content: bytes
    """The entry's own file."""
    payload_sha256: str
    """What statements about this entry bind to."""
    reeval: Signed[Reevaluation] | None
    """What a trusted stranger measured; None where none did."""


@dataclass
class Verdict:
    """The checks that ran on an entry, in their order."""

    entry: str
    """Its path."""
    checks: list[Check] = field(default_factory=list)
    documents: Documents | None = None
    """None if a check failed."""
    fork: ForkError | None = None
    """Two histories of one log, if that is why it failed: both notes are evidence."""

    @property
    def accepted(self) -> bool:
        """Whether no check failed."""
        return all(check.status != "failed" for check in self.checks)

    @property
    def level(self) -> Level:
        """How far an accepted entry was checked (leaderboard/formats/reeval.py)."""
        for check in self.checks:
            if check.status == "passed" and check.level is not None:
                return check.level
        return "L0"

    @property
    def unranked_because(self) -> tuple[str, ...]:
        """Why an entry may not be ranked: what it states itself, runs that are missing, and what
        leaves open whether its plan came before its seeds."""
        if self.documents is None:
            return ("it does not verify",)
        predicate = self.documents.statement.predicate
        if not predicate.ranked:
            return predicate.unranked_because
        reasons = [
            f"{check.name}: {check.detail}"
            for check in self.checks
            if check.name in ORDER and check.status != "passed"
        ]
        if any(run.missing for run in predicate.runs):
            reasons.append("runs are missing")
        return tuple(reasons)

    @property
    def ranked(self) -> bool:
        """Whether nothing speaks against ranking an entry, as far as these checks go."""
        return not self.unranked_because

    def document(self) -> dict[str, object]:
        """The verdict as plain data."""
        checks = [
            {"name": check.name, "status": check.status, "detail": check.detail}
            for check in self.checks
        ]
        return {
            "entry": self.entry,
            "accepted": self.accepted,
            "level": self.level,
            "ranked": self.ranked,
            "unranked_because": list(self.unranked_because),
            "checks": checks,
        }


@dataclass(frozen=True)
class Judgement:
    """What a check that did not fail says."""

    status: Literal["passed", "unknown"]
    detail: str
    level: Level | None = None


def passed(detail: str, level: Level | None = None) -> Judgement:
    """The check holds."""
    return Judgement("passed", detail, level)


def unknown(detail: str) -> Judgement:
    """The check cannot be decided from what was handed in, and nothing speaks against the entry."""
    return Judgement("unknown", detail)


@dataclass(frozen=True)
class Logged:
    """Whose word counts on a registration whose leaf is in a known log."""

    root: Root
    """The trust root at the leaf: it says from when on the beacon counts."""
    signers: Root
    """The trust root at the checkpoint: it says who may sign and cosign it."""
    signed: SignedCheckpoint
    """The checkpoint that the entry's proof leads to."""


@dataclass
class Entry:
    """An entry under verification. Each check may read what the checks before it have set."""

    path: Path
    trust: Path | None
    release: Path | None
    complete: bool
    """Whether absent tensors are a failure."""
    reeval: Path | None
    tensors: Path | None
    """Another folder in which files of tensors may lie."""
    log: BoardLog | None
    """Of a clone of the board; None where none was handed in."""
    recall: Callable[[str], View | None]
    """Origin of a log -> what was seen of it before."""

    content: bytes = field(init=False)
    """The entry's own file. Set by the check `envelope`."""
    envelope: Envelope = field(init=False)
    """Set by `envelope`."""
    statement: Statement[Predicate] = field(init=False)
    """Set by `statement`, believed from `signature` on."""
    files: SignedFiles = field(init=False)
    """Set by `documents`; the runs' files by `files`."""
    plan: Plan = field(init=False)
    """Set by `plan`."""
    suite: SuiteReference = field(init=False)
    """Set by `plan`."""
    manifest: Manifest = field(init=False)
    """Set by `manifest`."""
    reevaluation: Signed[Reevaluation] | None = field(init=False, default=None)
    """Set by `reeval`, if its key is trusted."""
    registered: RegisteredPlan | None = field(init=False, default=None)
    """Set by `registration`, if the plan was registered anywhere."""
    logged: Logged | None = field(init=False, default=None)
    """Set by `registration`, if the log is known."""
    fork: ForkError | None = field(init=False, default=None)
    """Set by `registration`, if the board shows another history than the entry's proof."""

    @property
    def folder(self) -> Path:
        """Where the signed files lie."""
        return self.path.parent

    @property
    def predicate(self) -> Predicate:
        """What the entry states."""
        return self.statement.predicate

    @property
    def present_runs(self) -> list[StatedRun]:
        """The runs that have a result."""
        return [run for run in self.predicate.runs if not run.missing]

    def lists(self, name: str) -> bool:
        """Whether a file is among the signed ones."""
        return name in self.files.digests
