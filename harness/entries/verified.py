"""Verifies the entry of a finished plan folder before anything else is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from harness.folder import Folder
from leaderboard.formats.keys import KeyFileError
from leaderboard.verification.checks import Documents, Verdict
from leaderboard.verification.verify import verify


class Refused(Exception):
    """An entry that does not verify; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.entry)
        self.verdict = verdict


@dataclass(frozen=True)
class Verified:
    """An entry that was accepted, and what its verification read."""

    path: Path
    verdict: Verdict
    documents: Documents


def judge(
    entry: Path,
    trust: Path | None = None,
    release: Path | None = None,
    complete: bool = False,
    reeval: Path | None = None,
) -> Verdict:
    """The verdict on an entry (leaderboard/verification/verify.py); UserError if a file that it
    takes cannot be read."""
    try:
        return verify(entry, trust, release, complete, reeval)
    except OSError as error:
        raise UserError(f"{error.filename or entry}: cannot be read ({error.strerror}).") from None
    except KeyFileError as error:
        raise UserError(str(error)) from None


def verified(folder: Path) -> Verified:
    """The entry of a finished plan folder. UserError if it has none, Refused if it does not
    verify."""
    path = Folder(folder).entry
    if not path.exists():
        raise UserError(
            f"{folder}: has no {path.name}; name OUT/<plan id> of a finished run, or a folder of"
            " `baseline accept`."
        )
    return accepted(path, judge(path))


def accepted(path: Path, verdict: Verdict) -> Verified:
    """The entry at `path` if its verdict accepts it; Refused otherwise."""
    if verdict.documents is None:
        raise Refused(verdict)
    return Verified(path, verdict, verdict.documents)
