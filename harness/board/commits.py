"""The files of a commit, read from git's objects; no working tree is looked at."""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.board.gitrun import run_git
from leaderboard.board.additions import ENTRIES
from leaderboard.board.files import MOST_NAMES
from leaderboard.formats.document import DocumentError

PLAIN = ("100644", "100755")
"""Modes of plain files; others are links and submodules."""
MOST_FILES = 20 * MOST_NAMES


@dataclass(frozen=True)
class Blob:
    """A file of a commit."""

    mode: str
    sha: str


class CommitFiles(AbstractContextManager["CommitFiles"]):
    """The files of one commit (leaderboard/board/files.py), read from git's objects.

    A part of the board is listed once it is asked for, so a reader of the log does not wait for
    the entries.
    """

    def __init__(self, folder: Path, commit: str) -> None:
        self._folder = folder
        self._commit = commit
        self._parts: dict[str, dict[str, dict[str, Blob]]] = {}
        self._sizes = _Reader(folder, "--batch-check")
        self._contents = _Reader(folder, "--batch")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sizes.close()
        self._contents.close()

    def names(self, folder: str) -> list[str]:
        """Names of files in a folder, sorted; none if there is no such folder."""
        return sorted(self._listed(folder))

    def size(self, path: str) -> int:
        """How many bytes a file has; DocumentError if it is not there, or no plain file."""
        return self._sizes.header(self._blob(path).sha)

    def read(self, path: str, limit: int) -> bytes:
        """The bytes of a file; DocumentError if it is not there, no plain file, or larger."""
        size = self.size(path)
        if size > limit:
            raise DocumentError(f"{path}: has {size} bytes, at most {limit} are read")
        return self._contents.content(self._blob(path).sha)

    def _blob(self, path: str) -> Blob:
        parent, _, name = path.rpartition("/")
        blob = self._listed(parent).get(name)
        if blob is None:
            raise DocumentError(f"{path}: is not there")
        if blob.mode not in PLAIN:
            raise DocumentError(f"{path}: is a link, no plain file")
        return blob

    def _listed(self, folder: str) -> dict[str, Blob]:
        """Name -> file of a folder."""
        parts = folder.split("/")
        part = "/".join(parts[:3]) if parts[0] == ENTRIES else parts[0]
        if part not in self._parts:
            self._parts[part] = self._list(part)
        return self._parts[part].get(folder, {})

    def _list(self, part: str) -> dict[str, dict[str, Blob]]:
        """Folder -> name -> file, of everything below a part of the board."""
        folders: dict[str, dict[str, Blob]] = {}
        below = ("--", part) if part else ()
        listing = run_git(self._folder, "ls-tree", "-r", "-z", self._commit, *below)
        lines = listing.split(b"\0")[:-1]
        if len(lines) > MOST_FILES:
            raise DocumentError(
                f"commit {self._commit[:12]}: {part} has more than {MOST_FILES} files"
            )
        for line in lines:
            facts, _, path = line.partition(b"\t")
            mode, _, sha = facts.decode().split()
            parent, _, name = path.decode("utf-8", "surrogateescape").rpartition("/")
            folders.setdefault(parent, {})[name] = Blob(mode, sha)
        return folders


class _Reader:
    """A process of git that gives out objects, which starts once it is asked."""

    def __init__(self, folder: Path, mode: str) -> None:
        self._command = ["git", "-C", str(folder), "cat-file", mode]
        self._process: subprocess.Popen[bytes] | None = None

    def header(self, sha: str) -> int:
        """Size of an object: the next line that the process prints ends with it."""
        if self._process is None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{sha}\n".encode())
        self._process.stdin.flush()
        size = self._process.stdout.readline().split()[-1]
        return int(size) if size.isdigit() else 0  # a submodule's commit is missing here

    def content(self, sha: str) -> bytes:
        """The bytes of an object, which follow its header and precede a line feed."""
        size = self.header(sha)
        assert self._process is not None and self._process.stdout is not None
        content = self._process.stdout.read(size)
        self._process.stdout.read(1)
        return content

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
