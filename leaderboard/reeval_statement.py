"""The statement of a re-evaluation: which policies of an entry were rolled out again, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leaderboard import envelope, keys, strict_json
from leaderboard.keys import SigningKey
from leaderboard.statement import STATEMENT_TYPE, schema_defects

REEVAL_TYPE = "urn:mst-bench:reeval:v1"
LARGEST = 64 << 20


class ReevalError(ValueError):
    """A re-evaluation that cannot be relied on, or that refused the entry; the text says why."""


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
    """The predicate of a re-evaluation of this very entry that accepted it. ReevalError if it is not one."""
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise ReevalError(f"{path}: has {len(data)} bytes, at most {LARGEST} are read")
    try:
        opened = envelope.open_envelope(data)
        found = strict_json.parse(envelope.payload(opened))
        wrong = schema_defects("reeval.v1.json", found, "statement")
        if wrong:
            raise ReevalError(f"{path}: {wrong[0]}")
        envelope.check_signature(opened, found["predicate"]["signer"]["public_key"])
    except ReevalError:
        raise
    except ValueError as error:
        raise ReevalError(f"{path}: {error}") from None
    predicate: dict[str, Any] = found["predicate"]
    if trust is not None and predicate["signer"]["key_id"] not in keys.load_trust(trust):
        raise ReevalError(f"{path}: key {predicate['signer']['key_id'][:16]} is not in {trust}")
    if found["subject"][0]["digest"]["sha256"] != entry_sha256:
        raise ReevalError(f"{path}: is about another entry")
    if not predicate["accepted"]:
        raise ReevalError(f"{path}: refused this entry")
    return predicate
