"""A board's log, checked as a whole: leaves, rules, and every signed checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leaderboard.board.files import Files
from leaderboard.board.ledger import fold
from leaderboard.board.repository import (
    RepositoryDocuments,
    checkpoint_path,
    read_checkpoints,
    read_leaves,
)
from leaderboard.board.state import Board
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from leaderboard.formats.log.merkle import Tree, leaf_hash
from leaderboard.formats.log.proof import LogProof
from leaderboard.formats.log.verifier import VerifierKey


@dataclass(frozen=True)
class BoardLog:
    """A log whose leaves follow the rules, and whose checkpoints are all of its own tree."""

    leaves: list[bytes]
    tree: Tree
    board: Board
    signed: dict[int, SignedCheckpoint]
    """Size -> signed checkpoint, in the order of sizes."""

    @property
    def size(self) -> int:
        """How many leaves it has, signed or not."""
        return len(self.leaves)

    @property
    def newest(self) -> SignedCheckpoint | None:
        """The largest signed checkpoint; None before the first."""
        return next(reversed(self.signed.values()), None)

    def checkpoint(self, size: int) -> Checkpoint:
        """What the checkpoint of this size must say."""
        return Checkpoint(self.board.root_at(size).origin, size, self.tree.root(size))

    def witnessed(self) -> tuple[SignedCheckpoint, int] | None:
        """The largest checkpoint that a quorum cosigned, and when it had; None before the first."""
        for signed in reversed(self.signed.values()):
            time = self._quorum_time(signed)
            if time is not None:
                return signed, time
        return None

    def prove(self, index: int) -> LogProof:
        """The proof of a leaf that others keep: by the first checkpoint that a quorum cosigned and
        that covers it, or else by the first that does. DocumentError before there is one.

        The first, because its cosignatures show the earliest time.
        """
        sizes = [size for size in self.signed if size > index]
        if not sizes:
            raise DocumentError(f"leaf {index}: no signed checkpoint covers it yet")
        witnessed = [size for size in sizes if self._quorum_time(self.signed[size])]
        size = min(witnessed or sizes)
        hashes = self.tree.inclusion(index, size)
        return LogProof(index, tuple(hashes), self.signed[size].note.content())

    def witnessed_from(self, index: int) -> int | None:
        """When a quorum first had cosigned a checkpoint that covers a leaf; None if none did."""
        times = [self._quorum_time(signed) for size, signed in self.signed.items() if size > index]
        return min((time for time in times if time is not None), default=None)

    def _quorum_time(self, signed: SignedCheckpoint) -> int | None:
        """When a quorum had cosigned a checkpoint; None if none did."""
        root = self.board.root_at(signed.checkpoint.size)
        return signed.witnessed_at(root.witnesses.threshold)


def read_log(files: Files) -> BoardLog:
    """The log of a board; DocumentError says what is wrong with it first.

    Whose signatures count on a checkpoint is what the leaves below its size say.
    """
    # (1) The leaves, and whether each was allowed.
    leaves = read_leaves(files)
    if not leaves:
        raise DocumentError("log/leaves: has no leaf, so nobody has set up this board yet")
    tree = Tree(map(leaf_hash, leaves))
    board = fold(leaves, RepositoryDocuments(files))

    # (2) Every signed checkpoint is of this tree.
    signed = dict[int, SignedCheckpoint]()
    for size, content in read_checkpoints(files).items():
        path = checkpoint_path(size)
        if not 0 < size <= tree.size:
            raise DocumentError(f"{path}: the log has {tree.size} leaves")
        opened = open_checkpoint(content, board.root_at(size).policy(), path)
        if (opened.checkpoint.size, opened.checkpoint.root) != (size, tree.root(size)):
            raise DocumentError(f"{path}: was signed for other leaves than the log has")
        signed[size] = opened

    # (3) No witness goes back in time.
    check_times({size: checkpoint.cosigned for size, checkpoint in signed.items()})
    return BoardLog(leaves, tree, board, signed)


def check_times(cosigned: Mapping[int, Mapping[VerifierKey, int]]) -> None:
    """DocumentError if a witness cosigned a larger tree earlier than a smaller one: it would have
    said that the smaller one was the largest it had seen. `cosigned`: size -> witness -> time."""
    latest = dict[str, int]()
    for size, times in sorted(cosigned.items()):
        for key, time in times.items():
            if time < latest.get(key.public_key, 0):
                raise DocumentError(
                    f"{checkpoint_path(size)}: {key.name} cosigned it before a smaller checkpoint"
                )
            latest[key.public_key] = time
