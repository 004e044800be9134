"""Appends leaves to the main branch: the board's one lock is that git rejects the second pusher."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.board.git import Busy, Repository
from harness.board.log import Invalid, refusing
from harness.board.remembered import check_remembered, recall
from harness.errors import Incomplete
from leaderboard.board.files import Files
from leaderboard.board.known import known_view
from leaderboard.board.log import BoardLog, read_log
from leaderboard.board.repository import LEAVES
from leaderboard.board.state import Board
from leaderboard.board.trial import Decision, decide
from leaderboard.formats.log.bundle import bundle_files

TRIES = 2
"""A push that somebody else was faster than is tried once more."""


@dataclass(frozen=True)
class Main:
    """The main branch, whose log follows the rules and continues what was seen of it."""

    files: Files
    log: BoardLog | None
    """None before the first leaf."""
    board: Board

    @classmethod
    def read(cls, files: Files) -> Main:
        """Read and check a board; DocumentError says what is wrong with it."""
        if not files.names(LEAVES):
            return cls(files, None, Board())
        log = read_log(files)
        check_remembered(log)
        return cls(files, log, log.board)

    def leaf(self, decision: Decision) -> Change:
        """What a push changes that logs a decision now; DocumentError if a rule forbids it."""
        index = self.board.size
        content = decide(self.board, decision, self.files, int(time.time()))
        if self.log is None:
            self._check_first()

        # The last bundle grows by a line, or a new one begins.
        leaves = [*(self.log.leaves if self.log is not None else ()), content]
        bundles = bundle_files(leaves, index)
        files = {f"{LEAVES}/{name}": bundle for name, bundle in bundles.items()}
        return Change({**decision.files, **files}, f"Leaf {index}: {decision.kind}", index)

    def _check_first(self) -> None:
        """Invalid if a log begins that was seen before: then its leaves were removed."""
        origin = self.board.root.origin
        if recall(origin) is not None or known_view(origin) is not None:
            raise Invalid(f"the log {origin} was seen before, and here it has no leaf.")


@dataclass(frozen=True)
class Change:
    """What one push changes."""

    files: Mapping[str, bytes | None]
    """Path -> content; None removes a file."""
    message: str
    """Of the commit."""
    index: int | None = None
    """Position of the leaf that it appends, if it does."""


def push_change(repository: Repository, prepare: Callable[[Main], Change]) -> Change:
    """Push a change of the main branch, which is prepared anew after each fetch.

    Raises Invalid for a DocumentError, Incomplete if others are faster twice; nothing is pushed
    then.
    """
    for _ in range(TRIES):
        parent = repository.fetch()
        with refusing(repository.folder), repository.files(parent) as files:
            change = prepare(Main.read(files))
        if not change.files:
            return change
        commit = repository.commit(parent, change.files, change.message)
        try:
            repository.push(commit, parent)
        except Busy:
            continue
        repository.forward(commit)
        return change
    raise Incomplete(
        f"{repository.folder}: others pushed at the same moment, twice; nothing was logged.",
        "Give the same command again.",
    )


def append_leaf(repository: Repository, decision: Decision) -> int:
    """Log a decision on the main branch; the leaf's position."""
    index = push_change(repository, lambda main: main.leaf(decision)).index
    assert index is not None, "a leaf was appended"
    return index
