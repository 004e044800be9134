"""Statements: what somebody signed so that a leaf could be logged.

statements/<sha256 of the payload>/<first 16 digits of the signer's key id>.dsse.json: an ordinary
envelope for each signer, all over one payload. How many count is a count of distinct keys.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import rfc8785

from leaderboard.formats import envelope, strict_json
from leaderboard.formats.document import DocumentError, build
from leaderboard.formats.envelope import Envelope, EnvelopeError
from leaderboard.formats.keys import key_id
from leaderboard.formats.log.bundle import leaf_bytes
from leaderboard.formats.log.checkpoint import check_origin
from leaderboard.formats.log.leaf import AnyLeaf
from leaderboard.formats.statement import STATEMENT_TYPE, Subject

BOARD_TYPE: Literal["urn:mst-bench:board:v1"] = "urn:mst-bench:board:v1"
LARGEST = 1 << 17
"""Bytes of an envelope that are read."""
MOST_SIGNERS = 64
LONGEST_REASON = 2000
NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
NAME = re.compile(r"[0-9a-f]{16}\.dsse\.json", re.ASCII)


@dataclass(frozen=True)
class Spoken:
    """What a statement says."""

    origin: str
    """Of the log that it is for."""
    nonce: str
    """Random: the same can be said again later, and what was said once is not logged twice."""
    leaf: dict[str, object]
    """The leaf without when it was logged."""
    reason: str
    """For people; empty where none is needed."""

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not NONCE.fullmatch(self.nonce):
            raise ValueError("nonce: expected 32 hexadecimal digits in small letters")
        if len(self.reason) > LONGEST_REASON or not self.reason.isprintable():
            raise ValueError(f"reason: expected one line of at most {LONGEST_REASON} characters")


@dataclass(frozen=True)
class _Document:
    """A statement as it was signed: in-toto's field names, and no subject, as it binds no file."""

    _type: Literal["https://in-toto.io/Statement/v1"]
    subject: tuple[Subject, ...]
    predicateType: Literal["urn:mst-bench:board:v1"]  # noqa: N815
    predicate: Spoken


@dataclass(frozen=True)
class SignedStatement:
    """What a statement says, and who may have signed it. No signature is verified yet."""

    spoken: Spoken
    envelopes: Mapping[str, Envelope]
    """Key id that an envelope names -> envelope."""

    def signed_by(self, public_key: str) -> bool:
        """Whether this key signed it; EnvelopeError if a signature in its name does not hold."""
        opened = self.envelopes.get(key_id(public_key))
        if opened is None:
            return False
        envelope.check_signature(opened, public_key)
        return True

    def signers(self, public_keys: Iterable[str]) -> int:
        """How many of these keys signed it. They are distinct by their material."""
        return sum(self.signed_by(public_key) for public_key in set(public_keys))


def statement_payload(
    origin: str, leaf: Mapping[str, object], reason: str = "", nonce: str = ""
) -> bytes:
    """What is signed for a leaf; all its signers sign one payload.

    `leaf`: without when it will be logged (`Leaf.stated`). `nonce`: of something that cannot be
    said again later; without it, each payload is another one.
    """
    predicate: dict[str, object] = {
        "origin": origin,
        "nonce": nonce or secrets.token_hex(16),
        "leaf": dict(leaf),
        "reason": reason,
    }
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [],
        "predicateType": BOARD_TYPE,
        "predicate": predicate,
    }
    return rfc8785.dumps(document)  # type: ignore[arg-type]


def parse_statement(sha256: str, files: Mapping[str, bytes], location: str) -> SignedStatement:
    """The statement in the files of its folder; DocumentError says what is wrong with them."""
    envelopes = dict[str, Envelope]()
    for name, content in files.items():
        try:
            opened = envelope.open_envelope(content)
        except EnvelopeError as error:
            raise DocumentError(f"{location}/{name}: {error}") from None
        if opened.payload_sha256 != sha256:
            raise DocumentError(f"{location}/{name}: its payload has another digest")
        if name != f"{opened.key_id[:16]}.dsse.json" or not NAME.fullmatch(name):
            raise DocumentError(f"{location}/{name}: is not named after the key that it names")
        envelopes[opened.key_id] = opened
    if not envelopes:
        raise DocumentError(f"{location}: no signed statement is there")

    payload = next(iter(envelopes.values())).payload
    return SignedStatement(parse_spoken(payload, location), envelopes)


def parse_spoken(payload: bytes, location: str) -> Spoken:
    """What the bytes of a payload say; DocumentError says what is wrong with them."""
    try:
        document = strict_json.parse(payload)
    except ValueError as error:
        raise DocumentError(f"{location}: payload: not readable JSON: {error}") from None
    return build(_Document, document, f"{location}: payload").predicate


def check_stated(statement: SignedStatement, leaf: AnyLeaf, origin: str, location: str) -> None:
    """DocumentError unless the statement was made for this leaf, and for this log."""
    if statement.spoken.origin != origin:
        raise DocumentError(
            f"{location}: its statement is for the log {statement.spoken.origin}, not {origin}"
        )
    if leaf_bytes(statement.spoken.leaf) != leaf_bytes(leaf.stated()):  # 1 is not true
        raise DocumentError(f"{location}: says something else than the statement that was signed")
