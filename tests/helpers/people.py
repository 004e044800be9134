"""People around a board: each with a clone, a key and a memory of their own."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.board.git import Repository
from harness.board.remembered import recall
from helpers.boards import WITNESSES, Keys, clone, commit_all, git, user
from helpers.logs import ORIGIN, checkpoint_of
from helpers.program import call
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import read_log
from leaderboard.formats.log.checkpoint import cosign_checkpoint, sign_checkpoint
from leaderboard.formats.log.note import Note

KEYS = Keys()
"""Of everybody on the board."""


@dataclass
class Person:
    """Somebody with a clone, a key and a memory of their own."""

    folder: Path
    clone: Path
    key: Path

    def log(self, command, *arguments):
        """`mst-bench log <command>` as this person."""
        words = [*arguments] if command == "audit" else ["--key", self.key, *arguments]
        with user(self.folder / "config"):
            return call("log", command, "--board", self.clone, *words)

    def pull(self):
        git(self.clone, "pull", "--quiet", "--ff-only", "origin", "main")

    def remembers(self):
        with user(self.folder / "config"):
            seen = recall(ORIGIN)
        return seen and seen.checkpoint.size


def grow(board, draft):
    """Append and push a leaf, as `accept` does."""
    git(board.folder, "pull", "--quiet", "--ff-only", "origin", "main")
    board.register(draft=draft)
    commit_all(board.folder, "A leaf")


def merge(board, branch):
    """Merge a pull request."""
    git(board.folder, "pull", "--quiet", "origin", "main")
    git(board.folder, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", branch)
    git(board.folder, "push", "--quiet", "origin", "HEAD:main")


def published(remote, tmp_path):
    """The log as a stranger gets it."""
    folder = tmp_path / "stranger"
    shutil.rmtree(folder, ignore_errors=True)
    return read_log(FolderFiles(clone(remote, folder)))


class Racing(Repository):
    """A clone whose owner is interrupted by others before each push."""

    def push(self, commit, parent):
        self.between()
        super().push(commit, parent)


def racing(person, between):
    repository = Racing(person.clone)
    object.__setattr__(repository, "between", between)
    return repository


def rewrite(board, draft):
    """Replace the last leaf by another, and force it onto the main branch."""
    git(board.folder, "pull", "--quiet", "origin", "main")
    for path in (board.folder / "log").glob("checkpoint*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    board.leaves.pop()
    board.at += 1
    board.register(draft=draft)
    git(board.folder, "add", "--all")
    git(board.folder, "commit", "--quiet", "--message", "rewritten")
    git(board.folder, "push", "--quiet", "--force", "origin", "HEAD:main")


def handed_in(grown, size, witness, time, key=None, leaves=None):
    """A cosignature that somebody handed in, and that was merged."""
    git(grown.folder, "pull", "--quiet", "origin", "main")
    name = WITNESSES[witness]
    checkpoint = checkpoint_of((leaves or grown.leaves)[:size])
    lines = (
        sign_checkpoint(checkpoint, key or KEYS.logs[0]),
        cosign_checkpoint(checkpoint, KEYS.witnesses[witness], name, time),
    )
    path = f"inbox/cosignature-{size}-{lines[1].key_id.hex()}.note"
    grown.write(path, Note(checkpoint.text(), lines).content())
    commit_all(grown.folder)
    return path
