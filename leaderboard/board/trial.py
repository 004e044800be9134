"""Asks the board's rules about a decision before it is logged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leaderboard.board.files import Files, Overlaid
from leaderboard.board.ledger import follow
from leaderboard.board.repository import RepositoryDocuments
from leaderboard.board.state import Board
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.bundle import leaf_bytes
from leaderboard.formats.log.root import Root
from leaderboard.formats.log.statements import SignedStatement


@dataclass(frozen=True)
class Decision:
    """What is to be logged: a leaf without its time, and the files that come with it."""

    kind: str
    fields: Mapping[str, object]
    """Of the leaf, but for `at`."""
    files: Mapping[str, bytes | None]
    """Path -> content of its statement's envelopes and of what else it brings; None removes one."""


class Presumed(SignedStatement):
    """A statement as if everybody had signed it whose signatures are only counted together."""

    def signers(self, public_keys: Iterable[str]) -> int:
        """All of these keys; EnvelopeError if a signature in the name of one does not hold."""
        keys = set(public_keys)
        super().signers(keys)
        return len(keys)


@dataclass(frozen=True)
class _PresumedDocuments:
    """Documents whose statements are presumed to be signed (ledger.py)."""

    documents: RepositoryDocuments

    def statement(self, sha256: str) -> SignedStatement:
        statement = self.documents.statement(sha256)
        return Presumed(statement.spoken, statement.envelopes)

    def root(self, version: int, sha256: str) -> Root:
        return self.documents.root(version, sha256)


def decide(
    board: Board, decision: Decision, files: Files, now: int, presumed: bool = False
) -> bytes:
    """Change a board by a decision as if it were logged now; the leaf. DocumentError says which
    rule forbids it, and the board is as before.

    `presumed`: as if all maintainers and holders of the root had signed it. A clock that lags
    behind the last leaf's does not hold the log up: times only grow.
    """
    moment = max(now, board.at)
    try:
        content = leaf_bytes({"kind": decision.kind, "at": moment, **decision.fields})
    except ValueError as error:
        raise DocumentError(f"{decision.kind}: {error}") from None
    documents = RepositoryDocuments(Overlaid(files, decision.files))
    follow(board, content, _PresumedDocuments(documents) if presumed else documents)
    return content
