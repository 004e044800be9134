"""Checkpoints (c2sp.org/tlog-checkpoint) and cosignatures (c2sp.org/tlog-cosignature).

A checkpoint is a note of three lines: whose log it is, how many leaves it has, and the root of
their tree. A log's key signs the text. A witness's key signs the text and the time, and says that
this was the largest tree that the witness had seen, consistent with all that it saw before.

Extension lines, which the format allows and advises against, are refused: no audit covers them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.log.merkle import EMPTY_ROOT, HASH_BYTES
from leaderboard.formats.log.note import Note, NoteSignature, known_signatures, parse_note
from leaderboard.formats.log.verifier import COSIGNATURE, NOTE, VerifierKey
from leaderboard.formats.spelling import LARGEST, decode_base64, decode_decimal, encode_base64

ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", re.ASCII)
"""Whose log it is: a URL without its scheme. It need not lead anywhere."""
SIGNATURE_BYTES = 64
TIME_BYTES = 8


def check_origin(origin: str) -> None:
    """ValueError unless a log may be called so."""
    if not ORIGIN.fullmatch(origin):
        raise ValueError(
            f"origin {origin[:80]!r}: expected at most 200 letters, digits, dots, slashes,"
            " underscores and hyphens, such as example.org/board"
        )


@dataclass(frozen=True)
class Checkpoint:
    """A log at one size."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not 0 <= self.size < LARGEST:
            raise ValueError("the size of a log is a whole number below 2^63")
        if len(self.root) != HASH_BYTES:
            raise ValueError(f"a root has {HASH_BYTES} bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise ValueError("an empty log has the root of an empty tree")

    def text(self) -> str:
        """The text of its note."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


def parse_checkpoint(text: str, location: str) -> Checkpoint:
    """The checkpoint in the text of a note; DocumentError says what is wrong with it."""
    lines = text.split("\n")
    if len(lines) != 4:
        raise DocumentError(f"{location}: a checkpoint has three lines: origin, size and root")
    origin, size, root, _ = lines
    try:
        return Checkpoint(origin, decode_decimal(size), decode_base64(root))
    except ValueError as error:
        raise DocumentError(f"{location}: is no checkpoint: {error}") from None


@dataclass(frozen=True)
class LogPolicy:
    """Whose signatures count on the checkpoints of one log."""

    origin: str
    logs: tuple[VerifierKey, ...]
    """Any one of them makes a checkpoint."""
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    """How many witnesses make a checkpoint witnessed; 0: none can."""

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not self.logs:
            raise ValueError("a log has at least one key")
        if any(key.type != NOTE or key.name != self.origin for key in self.logs):
            raise ValueError("a log's key is named after its origin and signs notes")
        if any(key.type != COSIGNATURE for key in self.witnesses):
            raise ValueError("a witness's key makes cosignatures")
        if not 0 <= self.quorum <= len(self.witnesses):
            raise ValueError("a quorum is a number of the witnesses")

        # One key under two names would count twice. Of two keys with one name and id, a reader
        # could not say which one signed; ids are short, so such keys can be made.
        known = (*self.logs, *self.witnesses)
        for public_key, times in Counter(key.public_key for key in known).items():
            if times > 1:
                raise ValueError(f"key {public_key[:16]}.. is listed {times} times")
        if len({(key.name, key.key_id) for key in known}) < len(known):
            raise ValueError("two keys have the same name and id")


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint whose known signatures all hold."""

    checkpoint: Checkpoint
    note: Note
    logs: tuple[VerifierKey, ...]
    """The log's keys that signed it, one at least."""
    cosigned: Mapping[VerifierKey, int]
    """Witness -> when it says that it saw this tree, in seconds since 1970."""

    def witnessed_at(self, quorum: int) -> int | None:
        """The second by which a quorum had cosigned; None if no quorum did.

        A checkpoint that was made later cannot show an earlier time, unless the quorum lies.
        """
        times = sorted(self.cosigned.values())
        return times[quorum - 1] if 0 < quorum <= len(times) else None


def open_checkpoint(content: bytes, policy: LogPolicy, location: str) -> SignedCheckpoint:
    """The checkpoint in the bytes of a note, verified; DocumentError says what is wrong with them.

    It must be of the policy's log, and signed by one of its keys. Every signature of a known key
    must hold; those of unknown keys are ignored.
    """
    note = parse_note(content, location)
    checkpoint = parse_checkpoint(note.text, location)
    if checkpoint.origin != policy.origin:
        raise DocumentError(
            f"{location}: is of the log {checkpoint.origin}, expected {policy.origin}"
        )

    # The log's own keys, then the witnesses'.
    logs = known_signatures(note, policy.logs, location)
    for key, signature in logs.items():
        if not key.verifies(signature.signature, note.text.encode()):
            raise DocumentError(f"{location}: the signature of the log {key.name} does not hold")
    if not logs:
        raise DocumentError(f"{location}: no key of the log {policy.origin} signed it")
    cosignatures = known_signatures(note, policy.witnesses, location)
    cosigned = {
        key: _time(signature, key, note.text, location) for key, signature in cosignatures.items()
    }
    return SignedCheckpoint(checkpoint, note, tuple(logs), cosigned)


def _time(signature: NoteSignature, key: VerifierKey, text: str, location: str) -> int:
    """When a witness cosigned the text; DocumentError unless its signature holds."""
    content = signature.signature
    if len(content) != TIME_BYTES + SIGNATURE_BYTES:
        raise DocumentError(f"{location}: the cosignature of {key.name} is cut off or too long")
    time = int.from_bytes(content[:TIME_BYTES], "big")
    if not 0 < time < LARGEST:
        raise DocumentError(f"{location}: the cosignature of {key.name} has no time below 2^63")
    if not key.verifies(content[TIME_BYTES:], _cosigned_message(text, time)):
        raise DocumentError(f"{location}: the cosignature of {key.name} does not hold")
    return time


def _cosigned_message(text: str, time: int) -> bytes:
    """What a witness signs."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def log_key(key: SigningKey, origin: str) -> VerifierKey:
    """The verifying half of a log's key."""
    return VerifierKey(origin, NOTE, key.public_hex)


def witness_key(key: SigningKey, name: str) -> VerifierKey:
    """The verifying half of a witness's key."""
    return VerifierKey(name, COSIGNATURE, key.public_hex)


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> NoteSignature:
    """The signature of a log's key."""
    verifier = log_key(key, checkpoint.origin)
    signature = key.private.sign(checkpoint.text().encode())
    return NoteSignature(verifier.name, verifier.key_id, signature)


def cosign_checkpoint(
    checkpoint: Checkpoint, key: SigningKey, name: str, time: int
) -> NoteSignature:
    """The cosignature of a witness: this tree is the largest it has seen at this time."""
    verifier = witness_key(key, name)
    signature = key.private.sign(_cosigned_message(checkpoint.text(), time))
    return NoteSignature(name, verifier.key_id, time.to_bytes(TIME_BYTES, "big") + signature)
