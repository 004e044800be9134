"""Signed notes (c2sp.org/signed-note): a text, and signature lines below it.

What is stricter here than there: base64 is canonical, so a note has one spelling; and no key that
the reader knows may sign a note twice. Lines of unknown keys are ignored, as the format asks, so
keys of algorithms that this program does not know can sign beside the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.verifier import VerifierKey, check_key_name
from leaderboard.formats.spelling import decode_base64, encode_base64

LARGEST = 1 << 18
"""Bytes of a note that are read: 16 signatures of ML-DSA-44 take a fifth of it."""
MOST_SIGNATURES = 128
KEY_ID_BYTES = 4
LINE = re.compile("— ([^ ]+) ([^ ]+)")
"""A signature line: an em dash, the key's name, base64."""


@dataclass(frozen=True)
class NoteSignature:
    """One signature line. Nothing of it is verified yet."""

    name: str
    """Of the key."""
    key_id: bytes
    """Four bytes: a hint which key it is, no proof."""
    signature: bytes

    def line(self) -> str:
        """As the note has it, without its line feed."""
        return f"— {self.name} {encode_base64(self.key_id + self.signature)}"


@dataclass(frozen=True)
class Note:
    """A text with signatures."""

    text: str
    """Ends with a line feed."""
    signatures: tuple[NoteSignature, ...]

    def content(self) -> bytes:
        """The bytes of the note's file."""
        lines = "".join(f"{signature.line()}\n" for signature in self.signatures)
        return f"{self.text}\n{lines}".encode()

    def signed_by(self, key: VerifierKey) -> NoteSignature | None:
        """The first signature that names this key; it is not verified."""
        for signature in self.signatures:
            if (signature.name, signature.key_id) == (key.name, key.key_id):
                return signature
        return None


def parse_note(content: bytes, location: str) -> Note:
    """The note in the bytes of a file; DocumentError says what is wrong with them."""
    if len(content) > LARGEST:
        raise DocumentError(f"{location}: has {len(content)} bytes, at most {LARGEST} are read")
    try:
        document = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{location}: is not UTF-8 (byte {error.start})") from None
    if any(character < " " and character != "\n" for character in document):
        raise DocumentError(f"{location}: has a control character")

    # The last empty line separates the text from its signatures.
    text, separator, lines = document.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise DocumentError(f"{location}: is no signed note: no signature lines end it")
    signed = lines[:-1].split("\n")
    if len(signed) > MOST_SIGNATURES:
        raise DocumentError(f"{location}: has more than {MOST_SIGNATURES} signatures")
    return Note(f"{text}\n", tuple(_signature(line, location) for line in signed))


def _signature(line: str, location: str) -> NoteSignature:
    """A signature line; DocumentError if it has another form."""
    matched = LINE.fullmatch(line)
    if matched is None:
        raise DocumentError(f"{location}: {line[:80]!r} is no signature line")
    name, signature = matched.groups()
    try:
        check_key_name(name)
        content = decode_base64(signature)
    except ValueError as error:
        raise DocumentError(f"{location}: signature of {name[:80]!r}: {error}") from None
    if len(content) <= KEY_ID_BYTES:
        raise DocumentError(f"{location}: signature of {name[:80]!r}: is cut off")
    return NoteSignature(name, content[:KEY_ID_BYTES], content[KEY_ID_BYTES:])


def known_signatures(
    note: Note, keys: Iterable[VerifierKey], location: str
) -> Mapping[VerifierKey, NoteSignature]:
    """The signatures of these keys on a note, none of them verified; DocumentError if one of the
    keys signs twice, since a reader could not say which signature counts."""
    known = {(key.name, key.key_id): key for key in keys}
    signatures = dict[VerifierKey, NoteSignature]()
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if key in signatures:
            raise DocumentError(f"{location}: key {key.name} signs it twice")
        signatures[key] = signature
    return signatures
