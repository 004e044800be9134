"""A DSSE v1 envelope around an in-toto Statement, inside fences that the format itself does not put up.

One signature, Ed25519 alone; exact keys and canonical base64, so that no byte of a file can change unseen; the key id is
recomputed from the key; and what is parsed is the payload that was verified.
"""

from __future__ import annotations

import base64
import binascii
import copy
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError

from leaderboard.formats import keys, strict_json
from leaderboard.formats.keys import SigningKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class EnvelopeError(ValueError):
    """The bytes are not an acceptable envelope; the text says why."""


def sign(payload: bytes, key: SigningKey) -> dict[str, Any]:
    """The envelope of `payload` as plain data."""
    envelope = Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(key.signer())
    document: dict[str, Any] = envelope.to_dict()
    return document


def open_envelope(data: bytes) -> dict[str, Any]:
    """The envelope in a file, its form checked, nothing verified yet."""
    try:
        document = strict_json.parse(data)
    except ValueError as error:
        raise EnvelopeError(f"not JSON: {error}") from None
    _exact_keys(document, {"payload", "payloadType", "signatures"}, "envelope")
    if document["payloadType"] != PAYLOAD_TYPE:
        raise EnvelopeError(
            f"payloadType is {document['payloadType']!r}, expected {PAYLOAD_TYPE!r}"
        )
    signatures = document["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise EnvelopeError("expected exactly one signature")
    _exact_keys(signatures[0], {"keyid", "sig"}, "signature")
    for where, value in (("payload", document["payload"]), ("sig", signatures[0]["sig"])):
        _canonical_base64(value, where)
    opened: dict[str, Any] = document
    return opened


def payload(document: dict[str, Any]) -> bytes:
    """The payload's bytes."""
    return base64.b64decode(document["payload"])


def check_signature(document: dict[str, Any], public_hex: str) -> None:
    """EnvelopeError unless the envelope's one signature is by this key, under this key's id."""
    named = document["signatures"][0]["keyid"]
    try:
        expected = keys.key_id(public_hex)
        key = keys.public_key(public_hex)
    except (ValueError, TypeError):
        raise EnvelopeError("the payload's public key is not 64 hexadecimal digits") from None
    if named != expected:
        raise EnvelopeError(
            f"key id {str(named)[:16]}.. is not the digest of the public key in the payload"
        )
    try:
        # from_dict empties what it is given
        Envelope.from_dict(copy.deepcopy(document)).verify([key], 1)
    except VerificationError:
        raise EnvelopeError("the signature does not fit the payload and the key") from None


def _exact_keys(value: Any, wanted: set[str], where: str) -> None:
    if not isinstance(value, dict) or set(value) != wanted:
        raise EnvelopeError(f"{where}: expected exactly the keys {', '.join(sorted(wanted))}")


def _canonical_base64(value: Any, where: str) -> None:
    try:
        canonical = (
            isinstance(value, str)
            and base64.b64encode(base64.b64decode(value, validate=True)).decode() == value
        )
    except (binascii.Error, ValueError):
        canonical = False
    if not canonical:
        raise EnvelopeError(f"{where}: not canonical base64")
