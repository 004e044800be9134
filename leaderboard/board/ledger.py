"""The fold over the log's leaves: who may do what at a position follows from the leaves before it.

A leaf that breaks a rule makes the log invalid: nobody signs it, witnesses it or verifies by it.
Removing an envelope from the repository therefore undoes no decision; it is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from leaderboard.board import rules
from leaderboard.board.state import Board
from leaderboard.formats.document import DocumentError
from leaderboard.formats.envelope import EnvelopeError
from leaderboard.formats.log.leaf import RootLeaf, parse_leaf
from leaderboard.formats.log.root import Root
from leaderboard.formats.log.statements import SignedStatement, check_stated


class Documents(Protocol):
    """What leaves refer to, as the board's repository keeps it."""

    def statement(self, sha256: str) -> SignedStatement:
        """The statement of this digest; DocumentError if it is not there."""

    def root(self, version: int, sha256: str) -> Root:
        """The trust root of this version and digest; DocumentError if it is not there."""


def fold(leaves: Sequence[bytes], documents: Documents) -> Board:
    """The state of the board after these leaves; DocumentError names the first that is wrong."""
    board = Board()
    for leaf in leaves:
        follow(board, leaf, documents)
    return board


def follow(board: Board, content: bytes, documents: Documents) -> None:
    """Add one leaf to a board; DocumentError says which rule it breaks, and the board is as before
    it."""
    index = board.size
    leaf = parse_leaf(content, f"leaf {index}")
    location = f"leaf {index} ({leaf.kind})"
    try:
        # Times only grow, and a statement speaks once.
        if leaf.at < board.at:
            raise ValueError("was logged before the leaf above it")
        if leaf.statement in board.statements:
            raise ValueError("its statement was logged before")
        statement = documents.statement(leaf.statement)

        # The root comes first: it says for which log the statement must be.
        if isinstance(leaf, RootLeaf):
            root = documents.root(leaf.version, leaf.root)
            check_stated(statement, leaf, root.origin, location)
            rules.check_root(board, leaf, root, statement)
            board.roots.append((index, root))
        else:
            if not board.roots:
                raise ValueError("comes before any trust root")
            check_stated(statement, leaf, board.root.origin, location)
            rules.apply(board, leaf, statement)
    except DocumentError:
        raise
    except (EnvelopeError, ValueError) as error:
        raise DocumentError(f"{location}: {error}") from None

    # Only now: a leaf that breaks a rule leaves no trace.
    board.statements.add(leaf.statement)
    board.at = leaf.at
    board.size += 1
