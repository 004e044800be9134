"""Verifies the entry of a finished plan folder before anything else is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.board.remembered import keep_evidence, known
from harness.board.statements import read_clone
from harness.errors import UNVERIFIED, UserError
from harness.folder import Folder
from harness.words import say
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import KeyFileError
from leaderboard.formats.layout import run_folder
from leaderboard.formats.run import Run, StatedRun
from leaderboard.verification.checks import Check, Documents, Verdict
from leaderboard.verification.verify import verify

if TYPE_CHECKING:
    from harness.planning.plan import Plan


class Refused(Exception):
    """An entry that does not verify; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.entry)
        self.verdict = verdict


class Changed(UserError):
    """A signed file that was changed since it was verified."""

    code = UNVERIFIED


@dataclass(frozen=True)
class Verified:
    """An entry that was accepted, and what its verification read. Whoever uses an entry reads it
    here, never in its folder."""

    path: Path
    verdict: Verdict
    documents: Documents

    @cached_property
    def plan(self) -> Plan:
        """The plan of the entry. Raises Refused where its settings do not give its networks."""
        from harness.planning.plan import plan_of  # here: the light install has no YAML reader

        try:
            return plan_of(self.documents.plan, self.documents.suite)
        except UserError as error:
            raise self.refused("plan", error.reason) from None

    @property
    def runs(self) -> tuple[StatedRun, ...]:
        """Every planned run, as the entry states it."""
        return self.documents.statement.predicate.runs

    @property
    def fresh(self) -> dict[str, float]:
        """Name of a run -> mean return that a trusted stranger measured; empty below L1."""
        reeval = self.documents.reeval
        if reeval is None:
            return {}
        return {run.run: run.fresh for run in reeval.statement.predicate.runs}

    def read(self, name: str) -> bytes:
        """The bytes of a signed file, the very ones that were signed; Changed if they are gone."""
        try:
            return self.documents.files.read(name)
        except DocumentError as error:
            raise Changed(f"{self.path}: {error}") from None

    def read_if_signed(self, name: str) -> bytes | None:
        """The same; None for a file that is not among the signed ones."""
        return self.read(name) if name in self.documents.files.digests else None

    def names(self, run: Run) -> list[str]:
        """The signed files of a run."""
        return self._by_folder.get(run_folder(run.name), [])

    @cached_property
    def _by_folder(self) -> dict[str, list[str]]:
        """Folder -> its signed files."""
        found = dict[str, list[str]]()
        for name in self.documents.files.digests:
            found.setdefault(name.rpartition("/")[0], []).append(name)
        return found

    def refused(self, check: str, reason: str) -> Refused:
        """An entry that passed its checks, and shows a defect to whoever knows more of it."""
        checks = [*self.verdict.checks, Check(check, "failed", reason)]
        return Refused(Verdict(self.verdict.entry, checks))


def judge(
    entry: Path,
    trust: Path | None = None,
    release: Path | None = None,
    complete: bool = False,
    reeval: Path | None = None,
    tensors: Path | None = None,
    board: Path | None = None,
) -> Verdict:
    """The verdict on an entry (leaderboard/verification/verify.py); UserError if a file that it
    takes cannot be read. `board`: a clone, which counts beside what this user saw of its log."""
    log = None if board is None else read_clone(board)
    try:
        verdict = verify(entry, trust, release, complete, reeval, tensors, log, known)
    except OSError as error:
        raise UserError(f"{error.filename or entry}: cannot be read ({error.strerror}).") from None
    except KeyFileError as error:
        raise UserError(str(error)) from None
    if board is not None and verdict.fork is not None:
        evidence = keep_evidence(board, verdict.fork)
        say(f"both notes are in {evidence}: show them to the board's other readers")
    return verdict


def verified(folder: Path, trust: Path | None = None) -> Verified:
    """The entry of a finished plan folder. UserError if it has none, Refused if it does not verify.

    With a trust file, a re-evaluation beside the entry counts.
    """
    path = Folder(folder).entry
    if not path.exists():
        raise UserError(
            f"{folder}: has no {path.name}; name OUT/<plan id> of a finished run, or a folder of"
            " `baseline accept`."
        )
    reeval = Folder(folder).reeval
    beside = reeval if trust is not None and reeval.exists() else None
    return accepted(path, judge(path, trust, reeval=beside))


def accepted(path: Path, verdict: Verdict) -> Verified:
    """The entry at `path` if its verdict accepts it; Refused otherwise."""
    if verdict.documents is None:
        raise Refused(verdict)
    return Verified(path, verdict, verdict.documents)
