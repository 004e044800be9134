"""Views of a log: what one reader saw of it, compared with what another shows.

Two signed checkpoints of one log agree if the leaves of the smaller are the first ones of the
larger. If they do not, somebody signed two histories, and both notes prove it to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from leaderboard.board.log import BoardLog
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.log.checkpoint import Checkpoint, parse_checkpoint
from leaderboard.formats.log.merkle import HASH_BYTES, Tree, leaf_hash
from leaderboard.formats.log.note import parse_note
from leaderboard.formats.log.proof import LogProof
from leaderboard.formats.log.root import Root
from leaderboard.formats.spelling import decode_base64, encode_base64

VIEW_SCHEMA: Literal["urn:mst-bench:log-view:v2"] = "urn:mst-bench:log-view:v2"
LARGEST = 64 << 20
"""Bytes of a view that are read: a million leaves take 43 MB."""


class ForkError(DocumentError):
    """Two histories of one log. Both notes are kept as evidence."""

    def __init__(self, message: str, notes: tuple[bytes, ...]) -> None:
        super().__init__(message)
        self.notes = notes


@dataclass(frozen=True)
class View:
    """A log as one reader saw it: a note, and the hashes of the leaves that it covers."""

    note: bytes
    checkpoint: Checkpoint
    leaf_hashes: Sequence[bytes]
    roots: tuple[PlacedRoot, ...]
    """Every version of the trust root below its size."""

    def root_at(self, size: int) -> Root:
        """The trust root that was in force when the log had `size` leaves, at least one, or the
        newest that was seen."""
        return next(placed.root for placed in reversed(self.roots) if placed.index < size)

    def content(self) -> dict[str, object]:
        """The view as plain data."""
        return {
            "schema": VIEW_SCHEMA,
            "note": self.note.decode(),
            "leaves": encode_base64(b"".join(self.leaf_hashes)),
            "roots": [asdict(placed) for placed in self.roots],
        }


@dataclass(frozen=True)
class PlacedRoot:
    """A version of the trust root, and the position of its leaf."""

    index: int
    root: Root


@dataclass(frozen=True)
class _File:
    """A view as its file has it."""

    schema: Literal["urn:mst-bench:log-view:v2"]
    note: str
    leaves: str
    """Hashes of the leaves, one after the other, in base64."""
    roots: tuple[PlacedRoot, ...]


def view_of(log: BoardLog, size: int, note: bytes) -> View:
    """What a reader of this log keeps of its checkpoint of this size."""
    roots = (PlacedRoot(index, root) for index, root in log.board.roots if index < size)
    return View(note, log.checkpoint(size), log.tree.leaf_hashes[:size], tuple(roots))


def parse_view(content: bytes, location: str) -> View:
    """The view in the bytes of a file; DocumentError if the file was damaged.

    The reader wrote it, after verifying the note: only its consistency is checked again.
    """
    file = parse(_File, content, location)
    note = file.note.encode()
    checkpoint = parse_checkpoint(parse_note(note, location).text, location)
    try:
        joined = decode_base64(file.leaves)
    except ValueError as error:
        raise DocumentError(f"{location}: leaves: {error}") from None
    if len(joined) != checkpoint.size * HASH_BYTES:
        raise DocumentError(f"{location}: holds another number of leaves than its note says")
    hashes = [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]
    if Tree(hashes).root(checkpoint.size) != checkpoint.root:
        raise DocumentError(f"{location}: its leaves are not those of its note")

    # A log begins with its root, and keeps its origin.
    indices = [placed.index for placed in file.roots]
    rising = indices == sorted(set(indices)) and indices[:1] == [0]
    if not rising or indices[-1] >= checkpoint.size:
        raise DocumentError(f"{location}: its trust roots are not in their order")
    if any(placed.root.origin != checkpoint.origin for placed in file.roots):
        raise DocumentError(f"{location}: has the trust root of another log")
    return View(note, checkpoint, hashes, file.roots)


def check_view(seen: View, log: BoardLog, seen_by: str) -> None:
    """ForkError unless the log continues what was seen of it. DocumentError if it is shorter.

    `seen_by`: who saw it: `this machine saw before`.
    """
    if log.size < seen.checkpoint.size:
        raise DocumentError(
            f"the log has {log.size} leaves, fewer than the {seen.checkpoint.size} that {seen_by}:"
            " this copy is older, or the log was cut"
        )
    if log.tree.root(seen.checkpoint.size) == seen.checkpoint.root:
        return
    index = first_difference(seen.leaf_hashes, log.tree.leaf_hashes)
    raise ForkError(
        f"leaf {index} is not the one that {seen_by}: the log has two histories",
        _notes(seen.note, log),
    )


def _notes(note: bytes, log: BoardLog) -> tuple[bytes, ...]:
    """The notes of two histories; the log may show leaves that nobody has signed yet."""
    return (note,) if log.newest is None else (note, log.newest.note.content())


def first_difference(left: Sequence[bytes], right: Sequence[bytes]) -> int:
    """Position of the first leaf that differs, among those that both have."""
    pairs = enumerate(zip(left, right, strict=False))
    return next(index for index, (mine, other) in pairs if mine != other)


def check_logs(log: BoardLog, other: BoardLog, name: str) -> None:
    """ForkError unless two copies of a log agree on what is signed in both. `name`: of the other
    copy."""
    newest = log.newest
    theirs = other.newest
    if newest is None or theirs is None:
        raise DocumentError("a log without a signed checkpoint cannot be compared")
    if newest.checkpoint.origin != theirs.checkpoint.origin:
        raise DocumentError(f"{name} is of the log {theirs.checkpoint.origin}")
    common = min(newest.checkpoint.size, theirs.checkpoint.size)
    if log.tree.root(common) == other.tree.root(common):
        return
    index = first_difference(log.tree.leaf_hashes, other.tree.leaf_hashes)
    raise ForkError(
        f"leaf {index} is not the one that {name} has: the log has two histories",
        (newest.note.content(), theirs.note.content()),
    )


def check_stapled(proof: LogProof, leaf: bytes, checkpoint: Checkpoint, log: BoardLog) -> None:
    """ForkError unless the log is the one that a verified proof was made in.

    The proof says as much of the history as its hashes do: the first range of leaves that differs.
    """
    if log.size < checkpoint.size:
        raise DocumentError(
            f"the log has {log.size} leaves, and a proof was made in one of {checkpoint.size}:"
            " this copy is older, or the log was cut"
        )
    if log.tree.root(checkpoint.size) == checkpoint.root:
        return
    start, end = _first_range(proof, leaf, checkpoint.size, log.tree)
    leaves = f"leaf {start}" if end - start == 1 else f"one of the leaves {start} to {end - 1}"
    raise ForkError(
        f"{leaves} is not the one that the proof of leaf {proof.index} was made with: the log has"
        " two histories",
        _notes(proof.checkpoint, log),
    )


def _first_range(proof: LogProof, leaf: bytes, size: int, tree: Tree) -> tuple[int, int]:
    """The first range of leaves whose hash differs between a proof and a tree."""
    # The ranges that a proof covers, from the leaf to the root's children (RFC 6962, 2.1.1).
    ranges = [((proof.index, proof.index + 1), leaf_hash(leaf))]
    for covered, sibling in zip(_siblings(proof.index, 0, size), proof.hashes, strict=True):
        ranges.append((covered, sibling))
    differing = [covered for covered, hash_ in ranges if tree.subtree(*covered) != hash_]
    assert differing, "the roots differ, so a hash below them does"
    return min(differing)


def _siblings(index: int, start: int, end: int) -> list[tuple[int, int]]:
    """Ranges of the siblings on the way from a leaf to the root."""
    if end - start == 1:
        return []
    middle = start + (1 << ((end - start - 1).bit_length() - 1))
    if index < middle:
        return [*_siblings(index, start, middle), (middle, end)]
    return [*_siblings(index, middle, end), (start, middle)]
