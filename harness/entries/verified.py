"""The entry of a finished plan folder, verified before anything else is read from it."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError
from harness.folder import Folder
from leaderboard.verification.verify import Verdict, verify


class Refused(Exception):
    """An entry that does not verify has no report; `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.entry)
        self.verdict = verdict


def verified(folder: Path) -> Path:
    """The entry of a finished plan folder. UserError if it has none, Refused if it does not verify."""
    entry = Folder(folder).entry
    if not entry.exists():
        raise UserError(
            f"{folder}: has no {entry.name}; name OUT/<plan id> of a finished run, or a folder of `baseline accept`."
        )
    verdict = verify(entry)
    if not verdict.accepted:
        raise Refused(verdict)
    return entry
