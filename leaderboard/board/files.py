"""The files of a board, from a folder of strangers or from anywhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leaderboard.formats.document import DocumentError
from leaderboard.formats.reading import read_limited

MOST_NAMES = 100_000
"""Names in one folder."""


class Files(Protocol):
    """Files by their paths from the board's folder, `/` between the parts."""

    def names(self, folder: str) -> list[str]:
        """Names in a folder, sorted; none if there is no such folder."""

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a file; DocumentError if it is not there, no plain file, or larger."""


@dataclass(frozen=True)
class FolderFiles:
    """A board's folder on disk. No link in it is followed."""

    path: Path

    def names(self, folder: str) -> list[str]:
        """Names in a folder, sorted; none if there is no such folder."""
        try:
            self._check_folder(folder)
            names = [entry.name for entry in _limited(self.path / folder)]
        except FileNotFoundError:
            return []
        return sorted(names)

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a file; DocumentError if it is not there, no plain file, or larger."""
        folder, _, _ = path.rpartition("/")
        try:
            self._check_folder(folder)
            if stat.S_ISLNK((self.path / path).lstat().st_mode):
                raise DocumentError(f"{path}: is a link")
            return read_limited(self.path / path, limit, path)
        except FileNotFoundError:
            raise DocumentError(f"{path}: is not there") from None

    def _check_folder(self, folder: str) -> None:
        """DocumentError if a part of the way into a folder is a link, or no folder."""
        way = self.path
        for part in folder.split("/") if folder else ():
            way = way / part
            if not stat.S_ISDIR(way.lstat().st_mode):
                raise DocumentError(f"{way.relative_to(self.path)}: is no folder")


def _limited(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, if it is not too much."""
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number == MOST_NAMES:
                raise DocumentError(f"{folder.name}: has more than {MOST_NAMES} names")
            yield entry


@dataclass(frozen=True)
class Overlaid:
    """Files with others laid over them; None hides one."""

    below: Files
    over: Mapping[str, bytes | None]

    def names(self, folder: str) -> list[str]:
        """Names in a folder, sorted."""
        names = set(self.below.names(folder))
        for path, content in self.over.items():
            parent, _, name = path.rpartition("/")
            if parent == folder:
                (names.discard if content is None else names.add)(name)
        return sorted(names)

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a file."""
        if path not in self.over:
            return self.below.read(path, limit)
        content = self.over[path]
        if content is None:
            raise DocumentError(f"{path}: is not there")
        if len(content) > limit:
            raise DocumentError(f"{path}: has {len(content)} bytes, at most {limit} are read")
        return content
