"""What one pull request may add to a board, told by names and sizes before anything is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from leaderboard.board import inbox
from leaderboard.board.repository import COSIGNATURE, INBOX
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import (
    ENTRY,
    MANIFEST,
    PLAN,
    RECORDS,
    REEVAL,
    REEVAL_STATEMENT,
    REGISTERED,
    RESULT,
    SUBMISSION,
    SUITE,
    TABLE,
    TENSORS,
    TIMING,
)
from leaderboard.formats.log import note, root, statements
from leaderboard.formats.names import NAME

ENTRIES = "entries"
MOST_FILES = 65_536
"""Of one pull request: three of each run, and some beside them."""
LARGEST_TOTAL = 256 << 20
"""Bytes of all files of one pull request. A suite of 700 runs has 12 MB."""
MOST_STATEMENTS = 64
"""Files of an inbox in one pull request."""

FOLDER = re.compile(rf"{ENTRIES}/({NAME})-v([1-9][0-9]{{0,8}})/([0-9a-f]{{16}})", re.ASCII)
"""The folder of an entry: suite, version, id of the plan."""
DOCUMENTS = (ENTRY, SUBMISSION, PLAN, SUITE, MANIFEST, TABLE, TENSORS, *REGISTERED)
RUN_FILE = re.compile(
    rf"runs/{NAME}/{NAME}/(0|[1-9][0-9]{{0,9}})/({RESULT}|{RECORDS}|{TIMING})", re.ASCII
)


@dataclass(frozen=True)
class Added:
    """A file that is new."""

    path: str
    """Seen from the board's folder."""
    size: int
    """In bytes."""


def check_additions(added: Iterable[Added]) -> str | None:
    """The folder of the entry, or of the re-evaluation, that is handed in; None if statements of an
    inbox are. DocumentError for anything else, and for two of them at once."""
    files = list(added)
    check_count(len(files))
    total = sum(file.size for file in files)
    if total > LARGEST_TOTAL:
        raise DocumentError(f"adds {total} bytes, expected at most {LARGEST_TOTAL}")
    for file in files:
        limit = largest(file.path)
        if limit is None:
            raise DocumentError(f"{file.path[:200]}: is nothing that a pull request may add")
        if file.size > limit:
            raise DocumentError(f"{file.path}: has {file.size} bytes, at most {limit} are read")

    # One matter each: an entry by itself.
    folders = {entry_folder(file.path) for file in files}
    if len(folders) > 1:
        raise DocumentError("adds an entry and something else: hand in one entry by itself")
    (folder,) = folders
    measured = [file for file in files if _is_measured(file.path.rpartition("/")[2])]
    if measured and len(measured) < len(files):
        raise DocumentError("adds a re-evaluation and something else: hand it in by itself")
    if folder is None and len(files) > MOST_STATEMENTS:
        raise DocumentError(f"adds {len(files)} statements, at most {MOST_STATEMENTS} at once")
    return folder


def check_count(count: int) -> None:
    """DocumentError for no file, or for more than anybody needs to add."""
    if not 1 <= count <= MOST_FILES:
        raise DocumentError(f"adds or changes {count} files, expected 1 to {MOST_FILES}")


def entry_folder(path: str) -> str | None:
    """The folder of the entry that a file belongs to; None for any other file."""
    folder = "/".join(path.split("/")[:3])
    return folder if FOLDER.fullmatch(folder) else None


def largest(path: str) -> int | None:
    """Most bytes of a file that a pull request adds at this path; None if it may not add it."""
    parent, _, name = path.rpartition("/")
    if parent == INBOX:
        return _largest_waiting(name)
    folder = entry_folder(path)
    if folder is None:
        return None
    inside = path.removeprefix(f"{folder}/")
    known = inside in DOCUMENTS or RUN_FILE.fullmatch(inside) or _is_measured(inside)
    return envelope.LARGEST if known else None


def _is_measured(name: str) -> bool:
    """Whether it is a re-evaluation of an entry that is there already, or its statement."""
    return bool(REEVAL.fullmatch(name) or REEVAL_STATEMENT.fullmatch(name))


def _largest_waiting(name: str) -> int | None:
    """Most bytes of a file of an inbox. Statements for an entry and its re-evaluations lie beside
    these."""
    if inbox.NAME.fullmatch(name) and not name.startswith(("entry-", "reeval-")):
        return statements.LARGEST
    if inbox.ROOT.fullmatch(name):
        return root.LARGEST
    return note.LARGEST if COSIGNATURE.fullmatch(name) else None
