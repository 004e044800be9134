"""Errors that a user must act on: printed as one sentence, without a traceback, with the exit code of their kind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

OK, INTERNAL, USAGE, INCOMPLETE, UNVERIFIED, REGRESSION, INCONCLUSIVE, NONCONFORMING, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130


class UserError(Exception):
    """Something the user did or must do; `code` is the process's exit code."""

    code = USAGE


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
