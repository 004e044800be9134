"""The pattern of names that become folders, table cells and report titles."""

from __future__ import annotations

import re

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
"""Of suites, tasks, regimes and algorithms: one part of a path, and never `.` or `..`."""
MODULE = r"[a-z][a-z0-9_]{0,39}"
"""Of modules: a module's file of weights is named after it."""
OWN = "own-"
"""What names of suites begin with that are not shipped as they are."""


def check_name(name: str, called: str) -> None:
    """ValueError unless `name` is one; `called`: what the sentence calls it."""
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"{called} {name[:80]!r}: expected a name of at most 64 letters, digits, dots,"
            " underscores and hyphens that begins with a letter or a digit"
        )


def check_module(name: str) -> None:
    """ValueError unless `name` is that of a module."""
    if not re.fullmatch(MODULE, name) or name == "masks":
        raise ValueError(f"module {name[:80]!r}: expected a word of small letters, not masks")
