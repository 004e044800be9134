"""The release statement of an image: a signed in-toto Statement that binds its digests, content manifest, commit and lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leaderboard import envelope, keys, strict_json
from leaderboard.keys import SigningKey
from leaderboard.statement import STATEMENT_TYPE, schema_defects

RELEASE_TYPE = "urn:mst-bench:release:v1"
LARGEST_RELEASE = 1 << 20


class ReleaseError(ValueError):
    """A release statement that cannot be relied on; the text says why."""


def statement(subjects: dict[str, str], facts: dict[str, str], key: SigningKey) -> dict[str, Any]:
    """The statement of one image. `subjects`: name -> sha256; `facts`: the predicate but for its signer."""
    signer = {"key_id": key.key_id, "public_key": key.public_hex, "one_use": key.one_use}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()],
        "predicateType": RELEASE_TYPE,
        "predicate": {**facts, "signer": signer},
    }


def read_release(path: Path, trust: Path | None) -> dict[str, Any]:
    """The predicate of a release statement whose signature holds. ReleaseError if it does not, or if its key is not trusted.

    OSError if the file cannot be read, KeyFileError for a bad trust file.
    """
    data = path.read_bytes()
    if len(data) > LARGEST_RELEASE:
        raise ReleaseError(f"{path}: has {len(data)} bytes, at most {LARGEST_RELEASE} are read")
    try:
        opened = envelope.open_envelope(data)
        found = strict_json.parse(envelope.payload(opened))
        wrong = schema_defects("release.v1.json", found, "statement")
        if wrong:
            raise ReleaseError(f"{path}: {wrong[0]}")
        envelope.check_signature(opened, found["predicate"]["signer"]["public_key"])
    except ReleaseError:
        raise
    except ValueError as error:
        raise ReleaseError(f"{path}: {error}") from None
    predicate: dict[str, Any] = found["predicate"]
    if trust is not None and predicate["signer"]["key_id"] not in keys.load_trust(trust):
        raise ReleaseError(f"{path}: key {predicate['signer']['key_id'][:16]} is not in {trust}")
    return predicate
