"""Errors that a user must act on: one sentence without a traceback, and an exit code."""

from __future__ import annotations

import errno

from leaderboard.formats.document import printable
from leaderboard.formats.document import suggestion as suggestion

(
    OK,
    INTERNAL,
    USAGE,
    INCOMPLETE,
    UNVERIFIED,
    REGRESSION,
    INCONCLUSIVE,
    NONCONFORMING,
    INTERRUPTED,
) = 0, 1, 2, 3, 4, 5, 6, 7, 130


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Write errors caused by the disk, not by a bug: full, over quota, too large, read-only."""
MAKE_ROOM = "What was saved before is whole; make room and give the same command again."


class UserError(Exception):
    """Something the user did or must do; `code` is the process's exit code."""

    code = USAGE

    def __init__(self, message: str) -> None:
        """One sentence on one line; control characters of a file or an option are spelled out."""
        super().__init__(printable(message))


class Incomplete(UserError):
    """Some runs have no result yet; the same command goes on."""

    code = INCOMPLETE


class NonConforming(UserError):
    """This machine cannot carry out what was asked."""

    code = NONCONFORMING


class Interrupted(UserError):
    """Stopped by the user, records kept."""

    code = INTERRUPTED
