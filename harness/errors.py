"""Errors that a user must act on: printed as one sentence, without a traceback, with the exit code of their kind."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

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
"""Why a file could not be written that is nobody's mistake in the code."""
MAKE_ROOM = "What was saved before is whole; make room and give the same command again."


class UserError(Exception):
    """Something the user did or must do; `code` is the process's exit code."""

    code = USAGE

    def __init__(self, message: str) -> None:
        """One sentence on one line: what a file or an option said is shown with its control characters spelled out."""
        super().__init__(
            "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in message)
        )


class Incomplete(UserError):
    """Some runs have no result yet; the same command goes on."""

    code = INCOMPLETE


class NonConforming(UserError):
    """This machine cannot carry out what was asked."""

    code = NONCONFORMING


class Interrupted(UserError):
    """Stopped by the user, records kept."""

    code = INTERRUPTED


def suggestion(name: object, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the nearest known name, else the list of them."""
    names = list(known)
    nearest = difflib.get_close_matches(str(name), names, n=1)
    return f" Did you mean '{nearest[0]}'?" if nearest else f" Known: {', '.join(names)}."
