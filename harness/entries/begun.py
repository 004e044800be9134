"""A re-evaluation under way: what its folder says, so that the same command goes on with it.

What lies in that folder is believed: it is the re-evaluator's own, and no part of an entry.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from harness.config import build
from harness.errors import UserError
from harness.files import read_json, write_json

NAME = "reeval.json"
SCHEMA = "urn:mst-bench:reeval-begun:v1"


@dataclass(frozen=True)
class Begun:
    """reeval.json of a folder of `reeval --work`."""

    schema: str
    entry: str
    """SHA-256 of the entry's payload."""
    nonce: str
    """Names the fresh streams, and draws the runs that are trained again."""


def check_own(work: Path, entry: Path) -> None:
    """UserError for a folder that lies in that of the entry, or holds anything but a re-evaluation:
    somebody else may have made what is there."""
    if work.resolve().is_relative_to(entry.parent.resolve()):
        raise UserError(f"--work {work}: lies in the entry's own folder; give another one.")
    if work.is_dir() and any(work.iterdir()) and not (work / NAME).exists():
        raise UserError(f"--work {work}: is not empty, and holds no re-evaluation; give a new one.")


def kept_nonce(work: Path, entry: str, nonce: str, drawn: bool) -> str:
    """The nonce of the re-evaluation in `work`, which is `nonce` if it only begins.

    `entry`: digest of its payload; `drawn`: a beacon gave the nonce, so that no other one counts.
    UserError for the folder of another re-evaluation.
    """
    path = work / NAME
    if not path.exists():
        write_json(path, asdict(Begun(SCHEMA, entry, nonce)))
        return nonce
    begun = build(Begun, read_json(path), str(path))
    if (begun.schema, begun.entry) != (SCHEMA, entry) or (drawn and begun.nonce != nonce):
        raise UserError(f"{path}: is of another re-evaluation; give another --work.")
    return begun.nonce
