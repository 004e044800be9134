"""Git as the board uses it: files of a commit, a commit on top of another, a push that may lose.

Nothing here touches the working tree of a clone: commits are made from files in memory, so a
maintainer's half-done work is neither signed nor lost. Known limit: git must know who commits.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.board.commits import CommitFiles
from harness.board.gitrun import run_git
from harness.errors import UserError


class Busy(Exception):
    """Somebody else pushed in between."""


@dataclass(frozen=True)
class ChangedFile:
    """A file in which two commits differ."""

    status: str
    """A: only the second has it. M: it has another content there. D: only the first has it."""
    mode: str
    """In the second."""
    path: str


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
        listed = run_git(self.folder, "ls-remote", self._url(), ref).decode().splitlines()
        commits = [line.removesuffix(f"\t{ref}") for line in listed if line.endswith(f"\t{ref}")]
        if len(commits) != 1:
            return None
        (commit,) = commits

        # A fetch that was killed, or goes on beside this one, may have brought the commit alone.
        try:
            run_git(self.folder, "rev-list", "--quiet", "--objects", commit, "--not", "--all")
        except UserError:
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc")
            run_git(self.folder, "fetch", *options, self._url(), commit)
        return commit

    def _url(self, *options: str) -> str:
        """Where the remote is. Git writes no branch of the clone for an address, so commands beside
        each other wait for no lock, and one that was killed leaves none behind."""
        url = run_git(self.folder, "remote", "get-url", *options, self.remote)
        return url.decode().strip()

    def files(self, commit: str) -> CommitFiles:
        """The files of a commit."""
        return CommitFiles(self.folder, commit)

    def resolve(self, name: str) -> str:
        """The commit that a name means; UserError if there is none."""
        try:
            found = run_git(
                self.folder, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}"
            )
        except UserError:
            raise UserError(f"{self.folder}: has no commit {name}.") from None
        return found.decode().split()[-1]

    def fork_point(self, base: str, head: str) -> str:
        """The newest commit that two commits both continue."""
        return run_git(self.folder, "merge-base", base, head).decode().strip()

    def changes(self, base: str, head: str) -> Iterator[ChangedFile]:
        """What is in one commit and not in another. A renamed file is one less and one more."""
        options = ("-r", "-z", "--no-renames", "--no-ext-diff")
        parts = run_git(self.folder, "diff-tree", *options, base, head).split(b"\0")[:-1]
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
            run_git(self.folder, "read-tree", parent or "--empty", environment=index)
            lines = list[str]()
            for path, content in changes.items():
                if content is None:
                    lines.append(f"0 {'0' * 40}\t{path}\n")
                    continue
                blob = run_git(self.folder, "hash-object", "-w", "--stdin", stdin=content)
                lines.append(f"100644 {blob.decode().strip()}\t{path}\n")
            update = "".join(lines).encode()
            run_git(self.folder, "update-index", "--index-info", stdin=update, environment=index)
            tree = run_git(self.folder, "write-tree", environment=index).decode().strip()
        parents = ("-p", parent) if parent is not None and history else ()
        made = run_git(self.folder, "commit-tree", tree, *parents, "-m", message)
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
            run_git(self.folder, "push", "--quiet", lease, self._url("--push"), target)
        except UserError:
            if self.fetch_if_there() != former:
                raise Busy from None
            raise

    def push_branch(self, commit: str, branch: str) -> None:
        """Push a commit as a branch; UserError in git's words if the remote refuses."""
        url = self._url("--push")
        run_git(self.folder, "push", "--quiet", url, f"{commit}:refs/heads/{branch}")

    def forward(self, commit: str) -> bool:
        """Bring the clone's own main branch to a commit, where nothing of its owner is in the way;
        whether it was done."""
        try:
            current = run_git(self.folder, "symbolic-ref", "--short", "HEAD").decode().strip()
            if current != self.branch:
                return False
            run_git(self.folder, "merge", "--quiet", "--ff-only", commit)
        except UserError:
            return False
        return True
