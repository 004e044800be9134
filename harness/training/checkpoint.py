"""Checkpoints of a cohort: killed at any moment, a run ends with the bytes of an unbroken one.

    cohorts/<i>/checkpoint/rows-<member>.bin   replay rows, appended and never rewritten
    cohorts/<i>/checkpoint/<n>.safetensors     everything else, the newest two kept
    cohorts/<i>/checkpoint/<n>.json            the note: what belongs together, written last

The note holds the digest of the state and the length of every append-only file at that moment.
Restoring truncates those files to their lengths, so what was written after them never happened. A
state that does not fit its digest is passed over for the one before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from harness.errors import NonConforming, UserError
from harness.files import digest_file, no_link, read_json, write_json
from harness.training.state_file import read_state, write_state

SCHEMA = "urn:mst-bench:checkpoint:v2"
KEPT = 2
"""Checkpoints that stay on disk: the newest and the one before."""
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    SafetensorError,
    UserError,
)
"""What reading a checkpoint raises if a file of it was cut or edited."""


@dataclass(frozen=True)
class Checkpoint:
    """What is restored."""

    number: int
    step: int
    state: dict[str, Any]
    """The training's own state, as `Checkpoints.write` got it."""
    rows: list[Tensor]
    """All replay rows of each member [n, row]."""


class Checkpoints:
    """The checkpoints of one cohort."""

    def __init__(self, folder: Path, members: int, identity: dict[str, str]) -> None:
        """`identity` names what must be the same on resume: code, libraries that decide numbers."""
        self.folder = folder
        self.identity = identity
        self.number = 0
        self.step = 0
        """Agent steps that the newest one holds."""
        self.saved = [0] * members
        """Replay rows on disk, by member."""
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, step: int, state: dict[str, Any], rows: Sequence[Tensor]) -> None:
        """Append `rows` (those since `saved`), write the state, then the note that counts."""
        # Killed anywhere in here, the last note still names what it named before.
        for member, new in enumerate(rows):
            self._append_rows(member, new)
        number = self.number + 1
        digest = write_state(self._path(number, "safetensors"), state)

        # What counts from now on, renamed into place as one file.
        lengths = [saved + len(new) for saved, new in zip(self.saved, rows, strict=True)]
        note = {
            "schema": SCHEMA,
            "step": step,
            "sha256": digest,
            "rows": lengths,
            "row_width": int(rows[0].shape[1]),
            "dtype": str(rows[0].dtype).removeprefix("torch."),
            "identity": self.identity,
        }
        write_json(self._path(number, "json"), note)
        self.number = number
        self.step = step
        self.saved = lengths

        # One older checkpoint stays, for a state that is found broken.
        for old in self._numbers():
            if old <= number - KEPT:
                self._path(old, "json").unlink(missing_ok=True)
                self._path(old, "safetensors").unlink(missing_ok=True)

    def read(self, allow_drift: bool) -> tuple[Checkpoint, bool] | None:
        """The newest checkpoint that is whole, and whether code or libraries changed since.

        None if there is no checkpoint. Raises NonConforming on such a change unless it is allowed,
        and UserError if no checkpoint is whole.
        """
        reasons = []
        for number in sorted(self._numbers(), reverse=True):
            try:
                checkpoint, note = self._read(number)
            except UNREADABLE as error:
                reasons.append(f"{self._path(number, 'json').name}: {error}")
                continue

            drifted = note["identity"] != self.identity
            if drifted and not allow_drift:
                raise _drift(self.folder, self.identity, note["identity"])
            self.number = number
            self.step = checkpoint.step
            self.saved = list(note["rows"])
            return checkpoint, drifted

        if reasons:
            raise UserError(
                f"{self.folder}: no checkpoint is whole ({'; '.join(reasons)}). Remove this folder"
                " to begin the cohort again."
            )
        return None

    def clear(self) -> None:
        """The cohort is finished: nothing is left to resume from."""
        for path in self.folder.iterdir():
            path.unlink()

    def _append_rows(self, member: int, rows: Tensor) -> None:
        """Behind the rows that count, over whatever a killed process left there."""
        path = self._rows(member)
        with open(path, "r+b" if path.exists() else "wb", opener=no_link) as file:
            file.seek(self.saved[member] * rows.shape[1] * rows.element_size())
            file.truncate()
            file.write(rows.contiguous().numpy().tobytes())
            file.flush()
            os.fsync(file.fileno())

    def _read(self, number: int) -> tuple[Checkpoint, dict[str, Any]]:
        """A checkpoint and its note. Raises one of UNREADABLE."""
        note = read_json(self._path(number, "json"))
        if note["schema"] != SCHEMA:
            raise ValueError(f"schema is {note['schema']}, this version reads {SCHEMA}")
        path = self._path(number, "safetensors")
        if digest_file(path) != note["sha256"]:
            raise ValueError("the state does not fit its digest")

        dtype = getattr(torch, note["dtype"])
        rows = [
            self._read_rows(member, length, note["row_width"], dtype)
            for member, length in enumerate(note["rows"])
        ]
        return Checkpoint(number, int(note["step"]), read_state(path), rows), note

    def _read_rows(self, member: int, length: int, width: int, dtype: torch.dtype) -> Tensor:
        """A member's first `length` rows [length, width]."""
        if length == 0:
            return torch.zeros(0, width, dtype=dtype)

        size = length * width * dtype.itemsize
        with open(self._rows(member), "rb") as file:
            raw = bytearray(file.read(size))
        if len(raw) != size:
            raise ValueError(f"{self._rows(member).name} is shorter than it was")
        return torch.frombuffer(raw, dtype=dtype).view(length, width)

    def _numbers(self) -> list[int]:
        return _numbers(self.folder)

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number}.{suffix}"

    def _rows(self, member: int) -> Path:
        return self.folder / f"rows-{member}.bin"


# -- what other processes ask of a folder of checkpoints --


def saved_step(folder: Path) -> int:
    """Agent steps that the newest checkpoint holds; 0 without one."""
    note = _newest_note(folder)
    return int(note["step"]) if note else 0


def check_identity(folder: Path, identity: dict[str, str]) -> None:
    """NonConforming if other code or libraries wrote the newest checkpoint, as `read` has it."""
    note = _newest_note(folder)
    if note and note["identity"] != identity:
        raise _drift(folder, identity, note["identity"])


def _newest_note(folder: Path) -> dict[str, Any] | None:
    """The newest note that can be read, whether its state is whole or not."""
    for number in sorted(_numbers(folder), reverse=True):
        with suppress(*UNREADABLE):
            note = read_json(folder / f"{number}.json")
            if {"step", "identity"} <= set(note):
                return dict(note)
    return None


def _numbers(folder: Path) -> list[int]:
    """Numbers of the checkpoints in a folder, which need not be there."""
    matches = [re.fullmatch(r"(\d+)\.json", path.name) for path in folder.glob("*.json")]
    return [int(match.group(1)) for match in matches if match]


def _drift(folder: Path, identity: dict[str, str], written: dict[str, str]) -> NonConforming:
    changed = [name for name in identity if identity[name] != written.get(name)]
    return NonConforming(
        f"{folder}: was written with another {', '.join(changed)}. Resume with what wrote it, give"
        " --allow-drift (the entry is then unranked), or choose another --out."
    )
