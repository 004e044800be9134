"""`log audit`: checks everything that a copy of a board's log shows, offline."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from harness.board.log import check_clock, refusing
from harness.board.remembered import check_remembered, locked, recall, remember
from harness.errors import UserError
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import BoardLog, read_log
from leaderboard.board.views import check_logs, view_of

STALE = 30 * 86_400
"""Seconds after which a quorum's word counts as old."""


@dataclass(frozen=True)
class Audit:
    """A copy of a log that passed every check."""

    origin: str
    leaves: int
    signed: int
    """Leaves that a signed checkpoint covers."""
    signers: tuple[str, ...]
    """The log's keys that signed the newest checkpoint, as foreign programs configure them."""
    witnessed: int
    """Leaves that a quorum of witnesses covers; 0: none does."""
    witnessed_at: int | None
    """When the quorum had cosigned, in seconds since 1970."""
    age: int | None
    """Seconds since then."""
    remembered: int | None
    """Leaves that this machine had seen before; None if it had seen none."""
    compared: str | None
    """The other copy that it agrees with."""

    @property
    def stale(self) -> bool:
        """Whether a quorum spoke, and that was long ago."""
        return self.age is not None and self.age > STALE


def audit_log(folder: Path, other: Path | None = None) -> Audit:
    """Check the copy of a log in a folder, against what was seen before and against another copy.

    Raises Invalid for anything that is wrong; both notes of a fork are kept in the folder.
    """
    for copy in (folder, other):
        if copy is not None and not (copy / "log").is_dir():
            raise UserError(f"{copy}: is no board: it has no folder log.")
    now = int(time.time())
    with refusing(folder):
        log = read_log(FolderFiles(folder))
        check_clock(log, now)
        origin = log.board.root.origin
        with locked(origin):
            seen = recall(origin)
            check_remembered(log)
            if other is not None:
                with refusing(other):
                    others = read_log(FolderFiles(other))
                check_logs(log, others, str(other))
            if log.newest is not None:
                newest = log.newest
                remember(view_of(log, newest.checkpoint.size, newest.note.content()))
    return _audit(log, now, seen.checkpoint.size if seen else None, other)


def _audit(log: BoardLog, now: int, remembered: int | None, other: Path | None) -> Audit:
    """What is said of a log that is right."""
    newest = log.newest
    witnessed = log.witnessed()
    return Audit(
        origin=log.board.root.origin,
        leaves=log.size,
        signed=newest.checkpoint.size if newest else 0,
        signers=tuple(map(str, newest.logs)) if newest else (),
        witnessed=witnessed[0].checkpoint.size if witnessed else 0,
        witnessed_at=witnessed[1] if witnessed else None,
        age=max(0, now - witnessed[1]) if witnessed else None,
        remembered=remembered,
        compared=None if other is None else str(other),
    )
