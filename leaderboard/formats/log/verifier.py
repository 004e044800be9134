"""Verifier keys of notes (c2sp.org/signed-note, `vkey`): a name, a public key, what it signs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from leaderboard.formats import keys
from leaderboard.formats.spelling import decode_base64, encode_base64

NOTE: Final = 0x01
"""Signature type of a log's Ed25519 key: it signs a note's text."""
COSIGNATURE: Final = 0x04
"""Signature type of a witness's Ed25519 key: it signs a checkpoint and the time."""
SignatureType = Literal[0x01, 0x04]
LONGEST_NAME = 255


def check_key_name(name: str) -> None:
    """ValueError unless a key may have this name: not empty, no white space, no plus."""
    if not name or "+" in name or any(character.isspace() for character in name):
        raise ValueError("a key's name has neither white space nor a plus, and is not empty")
    if len(name.encode()) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a key's name has at most {LONGEST_NAME} bytes that can be printed")


@dataclass(frozen=True)
class VerifierKey:
    """An Ed25519 public key under the name that its signatures carry."""

    name: str
    type: SignatureType
    public_key: str
    """64 hexadecimal digits, in small letters."""

    def __post_init__(self) -> None:
        check_key_name(self.name)
        keys.check_public_key(self.public_key)

    @property
    def key_id(self) -> bytes:
        """Four bytes that its signatures carry: a hint which key signed, no proof."""
        material = bytes([self.type]) + bytes.fromhex(self.public_key)
        return hashlib.sha256(f"{self.name}\n".encode() + material).digest()[:4]

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this is the key's signature of the message."""
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
        try:
            public.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        """The key as others configure it: `name+id+base64`."""
        material = bytes([self.type]) + bytes.fromhex(self.public_key)
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(material)}"


def parse_verifier(text: str) -> VerifierKey:
    """The key in a vkey string; ValueError says what is wrong with it."""
    # The base64 may hold a plus, the name and the id may not.
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise ValueError(f"{text[:80]!r}: expected name+id+key")
    name, key_id, encoded = parts
    try:
        material = decode_base64(encoded)
    except ValueError as error:
        raise ValueError(f"key {name[:80]!r}: {error}") from None

    # The id says that name, type and key belong together.
    match material[:1]:
        case b"\x01":
            key = VerifierKey(name, NOTE, material[1:].hex())
        case b"\x04":
            key = VerifierKey(name, COSIGNATURE, material[1:].hex())
        case _:
            raise ValueError(f"key {name[:80]!r}: is of a type that this program does not read")
    if key.key_id.hex() != key_id:
        raise ValueError(f"key {name[:80]!r}: its id is {key.key_id.hex()}, not {key_id[:16]!r}")
    return key
