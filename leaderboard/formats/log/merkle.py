"""The Merkle tree of RFC 6962, 2.1: hashes, roots, inclusion and consistency proofs.

Proofs are made by the recursive definitions of RFC 6962 and checked by the loops of RFC 9162
(2.1.3.2 and 2.1.4.2), so neither side repeats a mistake of the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

HASH_BYTES = 32
LONGEST_PROOF = 64
"""Hashes of a proof in a tree of fewer than 2^63 leaves, at most."""
EMPTY_ROOT = hashlib.sha256().digest()
"""Root of a tree without leaves."""


class ProofError(ValueError):
    """A proof shows nothing; the text says why."""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a node above two others. Its first byte differs from a leaf's, so that no leaf can
    pass for a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The hashes of a log's leaves and of every complete subtree above them."""

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        # levels[k][i] covers the leaves from i * 2^k to (i + 1) * 2^k.
        self._levels: list[list[bytes]] = [list(leaf_hashes)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(left, right) for left, right in pairs])

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return len(self._levels[0])

    @property
    def leaf_hashes(self) -> Sequence[bytes]:
        """Hashes of the leaves, in their order."""
        return self._levels[0]

    def root(self, size: int) -> bytes:
        """Root of the tree when it had `size` leaves."""
        assert 0 <= size <= self.size, "of a past or the present size"
        return self.subtree(0, size) if size else EMPTY_ROOT

    def subtree(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]) of RFC 6962, for a range that a proof needs.

        `start` is a multiple of the smallest power of two that is no smaller than the range.
        """
        width = end - start
        level = width.bit_length() - 1
        if width == 1 << level:
            return self._levels[level][start >> level]
        middle = start + _split(width)
        return node_hash(self.subtree(start, middle), self.subtree(middle, end))

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[size]): what leads from a leaf to the root of the tree of `size` leaves."""
        assert 0 <= index < size <= self.size, "a leaf of a past or the present tree"
        return self._path(index, 0, size)

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self.subtree(middle, end)]
        return [*self._path(index, middle, end), self.subtree(start, middle)]

    def consistency(self, old: int, size: int) -> list[bytes]:
        """PROOF(old, D[size]): what shows that the first `old` leaves were not changed.

        Every tree continues the empty one, so nothing has to be shown of it.
        """
        assert 0 <= old <= size <= self.size, "a past and a later tree"
        return self._subproof(old, 0, size, whole=True) if old else []

    def _subproof(self, old: int, start: int, end: int, whole: bool) -> list[bytes]:
        """SUBPROOF(old - start, D[start:end], whole); `whole`: whether the reader knows the hash of
        the old leaves in this range, because it is the old root."""
        if old == end:
            return [] if whole else [self.subtree(start, end)]
        middle = start + _split(end - start)
        if old <= middle:
            left = self._subproof(old, start, middle, whole)
            return [*left, self.subtree(middle, end)]
        right = self._subproof(old, middle, end, whole=False)
        return [*right, self.subtree(start, middle)]


def _split(width: int) -> int:
    """The largest power of two below `width`, which is at least 2."""
    return 1 << ((width - 1).bit_length() - 1)


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """ProofError unless the tree of this root and size has a leaf of this hash at this index."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} lies outside a log of {size} leaves")

    # RFC 9162, 2.1.3.2: `node` and `last` are the positions, at a height, of what leads to the
    # leaf and of the rightmost node.
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while node and not node & 1:  # a node without a right sibling is its own parent
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1

    if last:
        raise ProofError("the inclusion proof is too short")
    if computed != root:
        raise ProofError(f"the inclusion proof does not lead from leaf {index} to the root")


def check_consistency(
    old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """ProofError unless the tree of `size` leaves continues the one of `old` leaves."""
    if old > size:
        raise ProofError(f"a log of {size} leaves cannot continue one of {old}")
    if old in (0, size):
        agree = old_root == (EMPTY_ROOT if old == 0 else root)
        if proof or not agree or (size == 0 and root != EMPTY_ROOT):
            raise ProofError(f"the trees of {old} and {size} leaves do not agree")
        return

    # RFC 9162, 2.1.4.2. A complete old tree is a node of the new one: its root opens the proof.
    hashes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not hashes:
        raise ProofError("the consistency proof is too short")
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1

    # Both roots are computed on the way up, from the same hashes.
    old_computed = computed = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if node & 1 or node == last:
            old_computed = node_hash(sibling, old_computed)
            computed = node_hash(sibling, computed)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1

    if last:
        raise ProofError("the consistency proof is too short")
    if (old_computed, computed) != (old_root, root):
        raise ProofError(f"the trees of {old} and {size} leaves do not agree")
