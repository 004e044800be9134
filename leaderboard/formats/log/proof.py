"""Proofs that a leaf is in the log (c2sp.org/tlog-proof): read without the log, and offline."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.formats.document import DocumentError
from leaderboard.formats.log import note
from leaderboard.formats.log.checkpoint import LogPolicy, SignedCheckpoint, open_checkpoint
from leaderboard.formats.log.merkle import (
    HASH_BYTES,
    LONGEST_PROOF,
    ProofError,
    check_inclusion,
    leaf_hash,
)
from leaderboard.formats.spelling import decode_base64, decode_decimal, encode_base64

HEADER = "c2sp.org/tlog-proof@v1"
LARGEST = note.LARGEST + (1 << 14)
"""Bytes of a proof that are read: a note, and some lines above it."""


@dataclass(frozen=True)
class LogProof:
    """A leaf's position, its inclusion proof and the checkpoint that it leads to. Nothing of it is
    verified yet."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    """The bytes of a signed note."""

    def content(self) -> bytes:
        """The bytes of its file."""
        lines = [HEADER, f"index {self.index}", *map(encode_base64, self.hashes), "", ""]
        return "\n".join(lines).encode() + self.checkpoint


@dataclass(frozen=True)
class Logged:
    """A leaf that was shown to be in the log."""

    index: int
    signed: SignedCheckpoint
    """The checkpoint that covers it."""


def parse_proof(content: bytes, location: str) -> LogProof:
    """The proof in the bytes of a file; DocumentError says what is wrong with them."""
    if len(content) > LARGEST:
        raise DocumentError(f"{location}: has {len(content)} bytes, at most {LARGEST} are read")
    head, separator, checkpoint = content.partition(b"\n\n")
    if not separator:
        raise DocumentError(f"{location}: no empty line separates the proof from its checkpoint")
    try:
        header, index, *hashes = head.decode("ascii").split("\n")
    except ValueError:
        raise DocumentError(f"{location}: does not begin with {HEADER} and an index") from None

    # Data of an application (`extra`) is signed by nobody; this log has none.
    word, _, position = index.partition(" ")
    if header != HEADER or word != "index":
        raise DocumentError(f"{location}: does not begin with {HEADER} and an index")
    if len(hashes) > LONGEST_PROOF:
        raise DocumentError(f"{location}: has more than {LONGEST_PROOF} hashes")
    try:
        return LogProof(decode_decimal(position), tuple(map(_hash, hashes)), checkpoint)
    except ValueError as error:
        raise DocumentError(f"{location}: {error}") from None


def _hash(text: str) -> bytes:
    decoded = decode_base64(text)
    if len(decoded) != HASH_BYTES:
        raise ValueError(f"a hash has {HASH_BYTES} bytes, found {len(decoded)}")
    return decoded


def verify_proof(content: bytes, leaf: bytes, policy: LogPolicy, location: str) -> Logged:
    """Where this very leaf is in the log; DocumentError unless the proof shows it.

    The caller makes the leaf itself, from what it must say: a proof of another leaf shows nothing.
    """
    proof = parse_proof(content, location)
    signed = open_checkpoint(proof.checkpoint, policy, location)
    tree = signed.checkpoint
    try:
        check_inclusion(leaf_hash(leaf), proof.index, tree.size, proof.hashes, tree.root)
    except ProofError as error:
        raise DocumentError(f"{location}: {error}") from None
    return Logged(proof.index, signed)
