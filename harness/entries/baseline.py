"""Baselines of the regression gate: a person accepts one; none ever moves by itself."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from harness.entries.verified import verified
from harness.errors import UserError
from harness.files import read_json, write_atomic, write_json
from harness.folder import Folder
from leaderboard.formats.envelope import EnvelopeError, open_envelope

SCHEMA = "urn:mst-bench:baseline:v2"
FILE = "baseline.json"


def accept(folder: Path, to: Path, reason: str) -> Path:
    """Copies the signed files of a plan folder to `to`, replaces the baseline there, and records
    when and why; returns `to`.

    Raises Refused if the entry does not verify, UserError if a run of it is missing.
    """
    entry = verified(folder)
    statement = entry.documents.statement
    if any(run.missing for run in statement.predicate.runs):
        raise UserError(
            f"{folder}: some runs are missing; carry them out before it becomes a baseline."
        )

    # Only an empty folder or a baseline is overwritten, never a folder of something else.
    old = Folder(to).entry
    replaced = _payload_sha256(old) if old.exists() else None
    if replaced is None and to.exists() and any(to.iterdir()):
        raise UserError(f"--to {to}: is neither empty nor a baseline; choose another folder.")

    # The copy is whole before the old baseline goes.
    fresh = to.with_name(f".{to.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for subject in statement.subject:
        write_atomic(fresh / subject.name, entry.read(subject.name))
    write_atomic(fresh / old.name, entry.documents.content)

    # The history of all baselines in this folder, the new one last.
    history = read_json(to / FILE)["history"] if (to / FILE).exists() else []
    step = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "payload_sha256": entry.documents.payload_sha256,
        "replaces": replaced,
        "reason": reason,
    }
    write_json(fresh / FILE, {"schema": SCHEMA, "history": [*history, step]})
    if to.exists():
        shutil.rmtree(to)
    fresh.replace(to)
    return to


def _payload_sha256(entry: Path) -> str:
    """What the old baseline's entry is called in the history."""
    try:
        return open_envelope(entry.read_bytes()).payload_sha256
    except EnvelopeError as error:
        raise UserError(f"{entry}: {error}; choose another folder than {entry.parent}.") from None
