"""Reads what somebody hands in to a board, once: the bytes that are judged are those that are kept.

Names, kinds of files, sizes and counts are checked before anything is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.board.commits import PLAIN
from harness.board.git import Repository
from leaderboard.board.additions import (
    MOST_FILES,
    Added,
    check_additions,
    check_count,
    entry_folder,
    largest,
)
from leaderboard.board.files import Files, FolderFiles
from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import reeval_statement


@dataclass(frozen=True)
class HandedIn:
    """New files of a board."""

    files: Mapping[str, bytes]
    """Path, seen from the board's folder -> content."""
    folder: str | None
    """The folder of the entry that they are; None if they are statements of an inbox."""

    def inside(self) -> dict[str, bytes]:
        """The files of the entry by their paths in its folder."""
        return {path.removeprefix(f"{self.folder}/"): at for path, at in self.files.items()}

    def write_to(self, scratch: Path) -> Path:
        """Write the entry's files below a folder of our own, for readers of folders."""
        for path, content in self.inside().items():
            (scratch / path).parent.mkdir(parents=True, exist_ok=True)
            (scratch / path).write_bytes(content)
        return scratch


def on_disk(board: Path, path: str) -> HandedIn:
    """What lies in a clone: the folder of an entry, or a re-evaluation with its statement.
    DocumentError if it is not what one may hand in."""
    if entry_folder(path) == path:
        return _read(FolderFiles(board), list(_walk(board, path)))
    statement = reeval_statement(path)
    try:
        sizes = {each: (board / each).lstat().st_size for each in (path, statement)}
    except FileNotFoundError:
        raise DocumentError(f"{statement}: is not there") from None
    return _read(FolderFiles(board), [Added(each, size) for each, size in sizes.items()])


def _walk(board: Path, folder: str) -> Iterator[Added]:
    """The files below a folder, no more of them than may be handed in."""
    folders = [folder]
    seen = 0
    while folders:
        parent = folders.pop()
        with os.scandir(board / parent) as entries:
            for entry in entries:
                path = f"{parent}/{entry.name}"
                seen += 1
                if seen > 2 * MOST_FILES:
                    raise DocumentError(f"{folder}: has more than {2 * MOST_FILES} names")
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    folders.append(path)
                elif stat.S_ISREG(status.st_mode):
                    yield Added(path, status.st_size)
                else:
                    raise DocumentError(f"{path}: is a link, or no plain file")


def between(repository: Repository, base: str, head: str) -> HandedIn:
    """What a commit adds to another; DocumentError if it changes anything, or adds what nobody may
    hand in."""
    changes = list(repository.changes(base, head))
    check_count(len(changes))
    with repository.files(head) as files:
        added = list[Added]()
        for change in changes:
            if change.status != "A":
                raise DocumentError(f"{change.path[:200]}: is there already, and is changed")
            if change.mode != PLAIN[0]:
                raise DocumentError(f"{change.path[:200]}: is a link, a program or no plain file")
            added.append(Added(change.path, files.size(change.path)))
        return _read(files, added)


def _read(files: Files, added: list[Added]) -> HandedIn:
    """The contents, after all names and sizes were found to be allowed."""
    folder = check_additions(added)
    return HandedIn({at.path: files.read(at.path, largest(at.path) or 0) for at in added}, folder)
