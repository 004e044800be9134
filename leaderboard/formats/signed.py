"""Reads the signed statements that accompany an entry (release, re-evaluation): form, schema,
signature, trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from leaderboard.formats import envelope, keys, strict_json
from leaderboard.formats.statement import Signer, Statement, read_statement

LARGEST = 64 << 20
"""Bytes of a statement that are read."""


class SignedError(ValueError):
    """A statement that cannot be relied on; the text says why."""


@dataclass(frozen=True)
class SignedPredicate:
    """What every predicate that someone signed has."""

    signer: Signer


S = TypeVar("S", bound=SignedPredicate)


def read_signed(path: Path, schema: str, predicate: type[S], trust: Path | None) -> Statement[S]:
    """The statement in a file: its form, schema and signature hold, and its key is in the trust
    file, where one is named.

    Raises SignedError otherwise, OSError if the file cannot be read, and KeyFileError for a bad
    trust file.
    """
    content = path.read_bytes()
    if len(content) > LARGEST:
        raise SignedError(f"{path}: has {len(content)} bytes, at most {LARGEST} are read")

    # The payload that is parsed is the one whose signature is checked.
    try:
        opened = envelope.open_envelope(content)
        statement = read_statement(strict_json.parse(opened.payload), schema, predicate)
        envelope.check_signature(opened, statement.predicate.signer.public_key)
    except ValueError as error:
        raise SignedError(f"{path}: {error}") from None

    # Anybody can sign; the trust file says whose the key is.
    key_id = statement.predicate.signer.key_id
    if trust is not None and key_id not in keys.load_trust(trust):
        raise SignedError(f"{path}: key {key_id[:16]} is not in {trust}")
    return statement
