"""Signed statements that stand beside an entry: what is the same in reading a release and a re-evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leaderboard.formats import envelope, keys, strict_json
from leaderboard.formats.statement import schema_defects

LARGEST = 64 << 20
"""Bytes of a statement that are read."""


class SignedError(ValueError):
    """A statement that cannot be relied on; the text says why."""


def read_signed(path: Path, schema: str, trust: Path | None) -> dict[str, Any]:
    """The statement in a file: its form, schema and signature hold, and its key is trusted where a trust file is given.

    SignedError otherwise; OSError if the file cannot be read, KeyFileError for a bad trust file.
    """
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise SignedError(f"{path}: has {len(data)} bytes, at most {LARGEST} are read")
    try:
        opened = envelope.open_envelope(data)
        found: dict[str, Any] = strict_json.parse(envelope.payload(opened))
        wrong = schema_defects(schema, found, "statement")
        if wrong:
            raise SignedError(f"{path}: {wrong[0]}")
        envelope.check_signature(opened, found["predicate"]["signer"]["public_key"])
    except SignedError:
        raise
    except ValueError as error:
        raise SignedError(f"{path}: {error}") from None
    key_id = found["predicate"]["signer"]["key_id"]
    if trust is not None and key_id not in keys.load_trust(trust):
        raise SignedError(f"{path}: key {key_id[:16]} is not in {trust}")
    return found
