"""Appends leaves to the main branch: the board's one lock is that git rejects the second pusher."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from harness.board.git import Busy, Repository
from harness.board.log import refusing
from harness.board.remembered import check_remembered
from harness.errors import Incomplete
from leaderboard.board.files import Files
from leaderboard.board.ledger import follow
from leaderboard.board.log import BoardLog, read_log
from leaderboard.board.repository import LEAVES, RepositoryDocuments
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.bundle import bundle_files, leaf_bytes

TRIES = 2
"""A push that somebody else was faster than is tried once more."""


@dataclass(frozen=True)
class Decision:
    """What is to be logged: a leaf without its time, and the files that come with it."""

    kind: str
    fields: Mapping[str, object]
    """Of the leaf, but for `at`."""
    files: Mapping[str, bytes | None]
    """Path -> content of its statement's envelopes and of what else it brings; None removes one."""


@dataclass(frozen=True)
class Overlaid:
    """Files with others laid over them (leaderboard/board/files.py)."""

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
        content = self.over.get(path)
        return self.below.read(path, limit) if content is None else content


def append_leaf(repository: Repository, decision: Decision) -> int:
    """Log a decision on the main branch; the leaf's position.

    The rules are asked again after each fetch. Raises Invalid if they forbid it, Incomplete if
    others are faster twice; nothing is pushed then.
    """
    for _ in range(TRIES):
        parent = repository.fetch()
        with refusing(repository.folder), repository.files(parent) as files:
            log = read_log(files)
            check_remembered(log)
            content = _allowed(log, decision, files)

        # The last bundle grows by a line, or a new one begins.
        index = log.size
        bundles = bundle_files([*log.leaves, content], index)
        changes = {f"{LEAVES}/{name}": bundle for name, bundle in bundles.items()}
        message = f"Leaf {index}: {decision.kind}"
        commit = repository.commit(parent, {**decision.files, **changes}, message)
        try:
            repository.push(commit, parent)
        except Busy:
            continue
        repository.forward(commit)
        return index
    raise Incomplete(
        f"{repository.folder}: others pushed at the same moment, twice; nothing was logged.",
        "Give the same command again.",
    )


def _allowed(log: BoardLog, decision: Decision, files: Files) -> bytes:
    """The leaf as it is logged now; DocumentError if a rule forbids it.

    A clock that lags behind the last leaf's does not hold the log up: times only grow.
    """
    now = max(int(time.time()), log.board.at)
    try:
        content = leaf_bytes({"kind": decision.kind, "at": now, **decision.fields})
    except ValueError as error:
        raise DocumentError(f"{decision.kind}: {error}") from None
    follow(log.board, content, RepositoryDocuments(Overlaid(files, decision.files)))
    return content
