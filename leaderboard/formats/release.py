"""The release statement of an image: it binds the image's digests to its content manifest, commit
and lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leaderboard.formats.signed import Signed, SignedPredicate, read_signed
from leaderboard.formats.statement import statement_document

RELEASE_TYPE = "urn:mst-bench:release:v2"
RELEASE_SCHEMA = "release.v2.json"


@dataclass(frozen=True)
class Release(SignedPredicate):
    """What an image is."""

    version: str
    variant: Literal["cuda", "cpu"]
    commit: str
    base_image: str
    content_sha256: str
    """Digest of its content manifest."""
    lock_sha256: str
    """Digest of the locked requirements."""


def release_document(subjects: Mapping[str, str], release: Release) -> dict[str, object]:
    """The statement of one image, to be signed. `subjects`: name -> sha256."""
    return statement_document(RELEASE_TYPE, subjects, release)


def read_release(path: Path, trust: Path | None) -> Signed[Release]:
    """The release in a file; SignedError if its signature does not hold or its key may not sign
    releases."""
    return read_signed(path, RELEASE_SCHEMA, Release, trust, "release")
