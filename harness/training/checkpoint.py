"""Checkpoints of a cohort: killed at any moment, a run ends with the same bytes as if it had not been.

    cohorts/<i>/checkpoint/rows-<member>.bin   replay rows, appended and never rewritten
    cohorts/<i>/checkpoint/<n>.safetensors     everything else, the newest two kept
    cohorts/<i>/checkpoint/<n>.json            what belongs together: digest of the state, lengths of append-only files

The JSON is renamed into place last. It names the length of every append-only file at that moment, and restoring truncates to
it, so what was written after it never happened. A state that does not fit its digest is passed over for the one before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from harness.errors import NonConforming, UserError
from harness.files import digest_file, read_json, write_json
from harness.training.state_file import read_state, write_state

SCHEMA = "urn:mst-bench:checkpoint:v1"
KEPT = 2
"""Checkpoints that stay on disk: the newest and the one before."""


@dataclass(frozen=True)
class Checkpoint:
    """What is restored."""

    number: int
    step: int
    state: dict[str, Any]
    """The training's own state, as it was given to `Checkpoints.write`."""
    rows: list[Tensor]
    """All replay rows of each member [n, row]."""


class Checkpoints:
    """The checkpoints of one cohort."""

    def __init__(self, folder: Path, members: int, identity: dict[str, str]) -> None:
        """`identity` names what must be the same on resume: code, and libraries that decide numbers."""
        self.folder, self.identity = folder, identity
        self.number = 0
        self.saved = [0] * members
        """Replay rows on disk, by member."""
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, step: int, state: dict[str, Any], rows: Sequence[Tensor]) -> None:
        """Append `rows` (those since `saved`), write the state, then the JSON that makes it count."""
        for member, new in enumerate(rows):
            with open(self._rows(member), "r+b" if self._rows(member).exists() else "wb") as file:
                file.seek(self.saved[member] * new.shape[1] * new.element_size())
                file.truncate()
                file.write(new.contiguous().numpy().tobytes())
                file.flush()
                os.fsync(file.fileno())
        number = self.number + 1
        digest = write_state(self._path(number, "safetensors"), state)
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
        self.number, self.saved = number, lengths
        for old in self._numbers():
            if old <= number - KEPT:
                self._path(old, "json").unlink(missing_ok=True)
                self._path(old, "safetensors").unlink(missing_ok=True)

    def read(self, allow_drift: bool) -> tuple[Checkpoint, bool] | None:
        """The newest checkpoint that is whole, and whether code or libraries changed since; None if there is none.

        Raises NonConforming on such a change unless it is allowed, and UserError if no checkpoint is whole.
        """
        numbers = sorted(self._numbers(), reverse=True)
        reasons = []
        for number in numbers:
            try:
                found, note = self._read(number)
            except (
                OSError,
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                SafetensorError,
                UserError,
            ) as error:
                reasons.append(f"{self._path(number, 'json').name}: {error}")
                continue
            drifted = note["identity"] != self.identity
            if drifted and not allow_drift:
                changed = ", ".join(
                    key for key in self.identity if self.identity[key] != note["identity"].get(key)
                )
                raise NonConforming(
                    f"{self.folder}: was written with another {changed}. Go on with what wrote it, give --allow-drift (the"
                    " entry is then unranked), or choose another --out."
                )
            self.number, self.saved = number, list(note["rows"])
            return found, drifted
        if reasons:
            raise UserError(
                f"{self.folder}: no checkpoint is whole ({'; '.join(reasons)}). Remove this folder to begin the cohort again."
            )
        return None

    def _read(self, number: int) -> tuple[Checkpoint, dict[str, Any]]:
        note = read_json(self._path(number, "json"))
        if note["schema"] != SCHEMA:
            raise ValueError(f"schema is {note['schema']}, this version reads {SCHEMA}")
        path = self._path(number, "safetensors")
        if digest_file(path) != note["sha256"]:
            raise ValueError("the state does not fit its digest")
        width, dtype = note["row_width"], getattr(torch, note["dtype"])
        rows = []
        for member, length in enumerate(note["rows"]):
            size = length * width * dtype.itemsize
            with open(self._rows(member), "rb") as file:
                raw = bytearray(file.read(size))
            if len(raw) != size:
                raise ValueError(f"{self._rows(member).name} is shorter than it was")
            rows.append(
                torch.frombuffer(raw, dtype=dtype).view(length, width)
                if raw
                else torch.zeros(0, width, dtype=dtype)
            )
        return Checkpoint(number, int(note["step"]), read_state(path), rows), note

    def clear(self) -> None:
        """The cohort is finished: nothing is left to go on from."""
        for path in self.folder.iterdir():
            path.unlink()

    def _numbers(self) -> list[int]:
        names = (re.fullmatch(r"(\d+)\.json", path.name) for path in self.folder.iterdir())
        return [int(name.group(1)) for name in names if name]

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number}.{suffix}"

    def _rows(self, member: int) -> Path:
        return self.folder / f"rows-{member}.bin"
