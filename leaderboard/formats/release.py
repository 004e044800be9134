"""The release statement of an image: a signed in-toto Statement that binds its digests, content manifest, commit and lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leaderboard.formats.keys import SigningKey
from leaderboard.formats.signed import read_signed
from leaderboard.formats.statement import STATEMENT_TYPE

RELEASE_TYPE = "urn:mst-bench:release:v1"


def statement(subjects: dict[str, str], facts: dict[str, str], key: SigningKey) -> dict[str, Any]:
    """The statement of one image. `subjects`: name -> sha256; `facts`: the predicate but for its signer."""
    signer = {"key_id": key.key_id, "public_key": key.public_hex, "one_use": key.one_use}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()
        ],
        "predicateType": RELEASE_TYPE,
        "predicate": {**facts, "signer": signer},
    }


def read_release(path: Path, trust: Path | None) -> dict[str, Any]:
    """The predicate of a release statement whose signature holds. SignedError if it does not, or if its key is not trusted."""
    predicate: dict[str, Any] = read_signed(path, "release.v1.json", trust)["predicate"]
    return predicate
