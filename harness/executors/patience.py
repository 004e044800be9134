"""Errors of a file system that does not answer, as a program sees them that looks again and again.

A look that fails so is skipped. Cohorts that run wait in the same way (training/held.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.errors import UserError, gone
from harness.training.held import PATIENCE


class Patience:
    """Since when looks fail, for each matter that is looked at."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say`: is called with one sentence when looks begin to fail."""
        self._say = say
        self._since: dict[object, float] = {}

    def lasts(self, matter: object, error: Exception) -> bool:
        """Whether the look that raised this is only to be skipped.

        False for any other error, and once the file system has been gone for PATIENCE.
        """
        if not gone(error):
            return False
        if not self._since:
            reason = error.reason if isinstance(error, UserError) else f"{error}."
            self._say(f"mst-bench: {reason} The file system does not answer; waiting for it.")
        since = self._since.setdefault(matter, time.monotonic())
        return time.monotonic() - since <= PATIENCE

    def answered(self, matter: object) -> None:
        """A look did not fail."""
        self._since.pop(matter, None)


def of_a_file(error: Exception) -> bool:
    """Whether an error says what is wrong with a file; those of an engine do not."""
    return isinstance(error, UserError) or (isinstance(error, OSError) and error.errno is not None)
