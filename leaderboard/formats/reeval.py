"""The statement of a re-evaluation: which policies of an entry were rolled out again, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leaderboard.formats.keys import SigningKey
from leaderboard.formats.signed import SignedError, read_signed
from leaderboard.formats.statement import STATEMENT_TYPE

REEVAL_TYPE = "urn:mst-bench:reeval:v1"


def statement(entry_sha256: str, predicate: dict[str, Any], key: SigningKey) -> dict[str, Any]:
    """The statement about an entry. `predicate`: everything but its signer."""
    signer = {"key_id": key.key_id, "public_key": key.public_hex, "one_use": key.one_use}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": "entry.dsse.json", "digest": {"sha256": entry_sha256}}],
        "predicateType": REEVAL_TYPE,
        "predicate": {**predicate, "signer": signer},
    }


def read_reeval(path: Path, entry_sha256: str, trust: Path | None) -> dict[str, Any]:
    """The predicate of a re-evaluation of this very entry that accepted it. SignedError if it is not one."""
    found = read_signed(path, "reeval.v1.json", trust)
    predicate: dict[str, Any] = found["predicate"]
    if found["subject"][0]["digest"]["sha256"] != entry_sha256:
        raise SignedError(f"{path}: is about another entry")
    if not predicate["accepted"]:
        raise SignedError(f"{path}: refused this entry")
    return predicate
