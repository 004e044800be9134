"""A DSSE v1 envelope around an in-toto Statement, with stricter rules than the format's own.

An envelope has one signature, by Ed25519. Its keys are exact and its base64 is canonical. The key
id is recomputed from the key, and the payload that is parsed is the one that was verified. White
space and the order of keys are free: what is bound elsewhere is bound by the payload's digest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Signature

from leaderboard.formats import keys
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.spelling import decode_base64

PAYLOAD_TYPE = "application/vnd.in-toto+json"
LARGEST = 96 << 20
"""Bytes of an envelope that are read: what the largest plan's entry needs, and less than the 100
MiB that GitHub takes of a file."""


class EnvelopeError(ValueError):
    """The bytes are not an acceptable envelope; the text says why."""


@dataclass(frozen=True)
class Envelope:
    """An envelope whose form was checked. Nothing of it is verified yet."""

    payload: bytes
    key_id: str
    """Of the key that the envelope names as its signer's."""
    signature: bytes

    @property
    def payload_sha256(self) -> str:
        """What other documents bind to: it names the payload, however the file is written."""
        return hashlib.sha256(self.payload).hexdigest()


@dataclass(frozen=True)
class _FileSignature:
    """A signature as the file has it."""

    keyid: str
    sig: str


@dataclass(frozen=True)
class _File:
    """The envelope as the file has it; the field names are DSSE's."""

    payload: str
    payloadType: str  # noqa: N815
    signatures: tuple[_FileSignature, ...]

    def __post_init__(self) -> None:
        if self.payloadType != PAYLOAD_TYPE:
            raise ValueError(f"payloadType is {self.payloadType!r}, expected {PAYLOAD_TYPE!r}")
        if len(self.signatures) != 1:
            raise ValueError("expected exactly one signature")


def sign(payload: bytes, key: SigningKey) -> dict[str, object]:
    """The envelope of `payload` as plain data."""
    signed = dsse.Envelope(payload, PAYLOAD_TYPE, {})
    signed.sign(key.signer())
    document: dict[str, object] = signed.to_dict()
    return document


def open_envelope(content: bytes) -> Envelope:
    """The envelope in the bytes of a file; EnvelopeError if they have another form."""
    try:
        file = parse(_File, content, "envelope")
    except DocumentError as error:
        raise EnvelopeError(str(error)) from None

    # Base64 has several spellings of the same bytes: only the canonical one is accepted.
    (signature,) = file.signatures
    return Envelope(
        payload=_canonical_base64(file.payload, "payload"),
        key_id=signature.keyid,
        signature=_canonical_base64(signature.sig, "sig"),
    )


def check_signature(envelope: Envelope, public_hex: str) -> None:
    """EnvelopeError unless the envelope's signature is by this key, under this key's id."""
    # An id is the digest of its key, so two keys cannot share one.
    try:
        keys.check_public_key(public_hex)
    except ValueError as error:
        raise EnvelopeError(str(error)) from None
    key_id = keys.key_id(public_hex)
    key = keys.public_key(public_hex)
    if envelope.key_id != key_id:
        named = envelope.key_id[:16]
        raise EnvelopeError(f"key id {named}.. is not the digest of the public key in the payload")

    # DSSE signs the payload's type together with the payload.
    signatures = {key_id: Signature(key_id, envelope.signature.hex())}
    try:
        dsse.Envelope(envelope.payload, PAYLOAD_TYPE, signatures).verify([key], 1)
    except VerificationError:
        raise EnvelopeError("the signature does not fit the payload and the key") from None


def _canonical_base64(text: str, field: str) -> bytes:
    """The bytes that `text` spells, which must be spelled in the canonical way."""
    try:
        return decode_base64(text)
    except ValueError as error:
        raise EnvelopeError(f"{field}: {error}") from None
