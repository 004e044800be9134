"""What a submitter keeps of a plan that they registered: OUT/drafts/<statement>.json.

The file is named after the first 16 digits of the statement's digest, as the statement in the inbox
is. A blinded plan's file holds its salt: whoever has both knows the plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import rfc8785

from harness.errors import UserError
from harness.files import write_json
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.plan import DRAFT_SOURCE, draft_digest
from leaderboard.formats.reading import read_limited
from leaderboard.formats.suite import SuiteReference

DRAFT_SCHEMA: Literal["urn:mst-bench:draft:v1"] = "urn:mst-bench:draft:v1"
LARGEST = 16 << 20
"""Bytes of a draft that are read."""


@dataclass(frozen=True)
class Draft:
    """A registered plan without its seeds."""

    schema: Literal["urn:mst-bench:draft:v1"]
    origin: str
    """Of the log that it was registered in."""
    statement: str
    """sha256 of what was signed."""
    salt: str | None
    """What blinds it; None if its digest is public."""
    suite: SuiteReference
    plan: dict[str, object]
    """plan.json as it is before it has seeds."""

    def __post_init__(self) -> None:
        if self.plan.get("seed_source") != DRAFT_SOURCE:
            raise ValueError(f"plan: a draft's seed_source is {DRAFT_SOURCE}")

    def content(self) -> bytes:
        """The canonical bytes of its plan."""
        return rfc8785.dumps(self.plan)  # type: ignore[arg-type]

    @property
    def digest(self) -> str:
        """What names it: the same for everybody who plans the same."""
        return draft_digest(self.content())


def draft_path(out: Path, statement: str) -> Path:
    """The file of the draft that a statement registers."""
    return out / "drafts" / f"{statement[:16]}.json"


def keep(draft: Draft, out: Path) -> Path:
    """Write a draft; its file."""
    path = draft_path(out, draft.statement)
    write_json(path, asdict(draft))
    return path


def kept(out: Path, statement: str) -> Draft:
    """The draft that a statement registers; UserError if it was not kept here."""
    path = draft_path(out, statement)
    try:
        draft = parse(Draft, read_limited(path, LARGEST, str(path)), str(path))
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}).",
            "`plan --register` wrote it: give the same --out.",
        ) from None
    except DocumentError as error:
        raise UserError(str(error)) from None
    if draft.statement != statement:
        raise UserError(f"{path}: is the draft of another statement.")
    return draft


def same_drafts(out: Path, digest: str) -> Iterator[Draft]:
    """The drafts in a folder that are of this plan."""
    for path in sorted((out / "drafts").glob("*.json")):
        try:
            draft = parse(Draft, read_limited(path, LARGEST, str(path)), str(path))
        except (OSError, DocumentError):
            continue
        if draft.digest == digest:
            yield draft
