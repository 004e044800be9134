"""Git as the board uses it: files of a commit, a commit on top of another, a push that may lose.

Nothing here touches the working tree of a clone: commits are made from files in memory, so a
maintainer's half-done work is neither signed nor lost. Known limit: git must know who commits.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.errors import UserError
from leaderboard.board.additions import ENTRIES
from leaderboard.board.files import MOST_NAMES
from leaderboard.formats.document import DocumentError

PLAIN = ("100644", "100755")
"""Modes of plain files; others are links and submodules."""
MOST_FILES = 20 * MOST_NAMES


class Busy(Exception):
    """Somebody else pushed in between."""


@dataclass(frozen=True)
class Blob:
    """A file of a commit."""

    mode: str
    sha: str


@dataclass(frozen=True)
class ChangedFile:
    """A file in which two commits differ."""

    status: str
    """A: only the second has it. M: it has another content there. D: only the first has it."""
    mode: str
    """In the second."""
    path: str


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
        listing = _git(self._folder, "ls-tree", "-r", "-z", self._commit, *below)
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


@dataclass(frozen=True)
class Repository:
    """A clone of a board, and where its main branch is pushed to."""

    folder: Path
    remote: str = "origin"
    branch: str = "main"

    def fetch(self) -> str:
        """The commit of the remote's main branch, whose objects are here now."""
        commit = self.fetch_if_there()
        if commit is None:
            raise UserError(f"{self.folder}: {self.remote} has no branch {self.branch}.")
        return commit

    def fetch_if_there(self) -> str | None:
        """The same; None if the remote has no such branch."""
        # Git also lists refs that end so, such as refs/heads/a/refs/heads/main.
        ref = f"refs/heads/{self.branch}"
        listed = _git(self.folder, "ls-remote", self._url(), ref).decode().splitlines()
        commits = [line.removesuffix(f"\t{ref}") for line in listed if line.endswith(f"\t{ref}")]
        if len(commits) != 1:
            return None
        (commit,) = commits
        try:
            _git(self.folder, "cat-file", "-e", f"{commit}^{{commit}}")
        except UserError:
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc")
            _git(self.folder, "fetch", *options, self._url(), commit)
        return commit

    def _url(self, *options: str) -> str:
        """Where the remote is. Git writes no branch of the clone for an address, so commands beside
        each other wait for no lock, and one that was killed leaves none behind."""
        url = _git(self.folder, "remote", "get-url", *options, self.remote)
        return url.decode().strip()

    def files(self, commit: str) -> CommitFiles:
        """The files of a commit."""
        return CommitFiles(self.folder, commit)

    def resolve(self, name: str) -> str:
        """The commit that a name means; UserError if there is none."""
        try:
            found = _git(
                self.folder, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}"
            )
        except UserError:
            raise UserError(f"{self.folder}: has no commit {name}.") from None
        return found.decode().split()[-1]

    def fork_point(self, base: str, head: str) -> str:
        """The newest commit that two commits both continue."""
        return _git(self.folder, "merge-base", base, head).decode().strip()

    def changes(self, base: str, head: str) -> Iterator[ChangedFile]:
        """What is in one commit and not in another. A renamed file is one less and one more."""
        options = ("-r", "-z", "--no-renames", "--no-ext-diff")
        parts = _git(self.folder, "diff-tree", *options, base, head).split(b"\0")[:-1]
        for facts, path in zip(parts[::2], parts[1::2], strict=True):
            _, mode, _, _, status = facts.decode().split()
            yield ChangedFile(status, mode, path.decode("utf-8", "surrogateescape"))

    def commit(
        self,
        parent: str | None,
        changes: Mapping[str, bytes | None],
        message: str,
        history: bool = True,
    ) -> str:
        """A commit on top of another that writes these files; None removes one. Without `history`
        it has the other's files, and no trace of what was before."""
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            _git(self.folder, "read-tree", parent or "--empty", environment=index)
            lines = list[str]()
            for path, content in changes.items():
                if content is None:
                    lines.append(f"0 {'0' * 40}\t{path}\n")
                    continue
                blob = _git(self.folder, "hash-object", "-w", "--stdin", stdin=content)
                lines.append(f"100644 {blob.decode().strip()}\t{path}\n")
            update = "".join(lines).encode()
            _git(self.folder, "update-index", "--index-info", stdin=update, environment=index)
            tree = _git(self.folder, "write-tree", environment=index).decode().strip()
        parents = ("-p", parent) if parent is not None and history else ()
        made = _git(self.folder, "commit-tree", tree, *parents, "-m", message)
        return made.decode().strip()

    def push(self, commit: str, parent: str) -> None:
        """Make a commit the main branch, if that is still `parent`; Busy if it is not."""
        try:
            self.push_branch(commit, self.branch)
        except UserError:
            if self.fetch() != parent:
                raise Busy from None
            raise

    def replace(self, commit: str, former: str | None) -> None:
        """Make a commit the branch, whatever it was, if that is still `former`; Busy if not."""
        lease = f"--force-with-lease=refs/heads/{self.branch}:{former or ''}"
        target = f"{commit}:refs/heads/{self.branch}"
        try:
            _git(self.folder, "push", "--quiet", lease, self._url("--push"), target)
        except UserError:
            if self.fetch_if_there() != former:
                raise Busy from None
            raise

    def push_branch(self, commit: str, branch: str) -> None:
        """Push a commit as a branch; UserError in git's words if the remote refuses."""
        url = self._url("--push")
        _git(self.folder, "push", "--quiet", url, f"{commit}:refs/heads/{branch}")

    def forward(self, commit: str) -> bool:
        """Bring the clone's own main branch to a commit, where nothing of its owner is in the way;
        whether it was done."""
        try:
            current = _git(self.folder, "symbolic-ref", "--short", "HEAD").decode().strip()
            if current != self.branch:
                return False
            _git(self.folder, "merge", "--quiet", "--ff-only", commit)
        except UserError:
            return False
        return True


def _git(
    folder: Path,
    *arguments: str,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """What git prints; UserError with its words if it fails. It asks no questions."""
    words = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(environment or {})}
    command = ["git", "-C", str(folder), *arguments]
    try:
        finished = subprocess.run(
            command, input=stdin, capture_output=True, env=os.environ | words, check=False
        )
    except FileNotFoundError:
        raise UserError("git is not installed, and a board is a git repository.") from None
    if finished.returncode != 0:
        lines = finished.stderr.decode("utf-8", "replace").strip().splitlines() or ["no words"]
        reasons = [line for line in lines if not line.startswith("hint:")]
        raise UserError(f"{folder}: git {arguments[0]}: {' '.join(reasons[:4])}")
    return finished.stdout
