"""Checkpoints of a cohort: killed at any moment, a run ends with the bytes of an unbroken one.

    checkpoint/rows-<member>-<segment>.bin   replay rows, appended and never rewritten
    checkpoint/<n>.safetensors               everything else, the newest two kept
    checkpoint/<n>.json                      the note: what belongs together, written last

The note holds the digest of the state, and how many rows of each segment counted at that moment.
What was written after them never happened. Every attempt appends to a segment of its own, so a
process that was taken for dead writes nowhere that counts. A state that does not fit its digest is
passed over for the one before.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from harness.errors import NonConforming, UserError
from harness.files import Files, digest_file, no_link, read_json
from harness.training.state_file import read_state, write_state

SCHEMA = "urn:mst-bench:checkpoint:v3"
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


@dataclass(frozen=True)
class Segment:
    """Replay rows that one attempt appended."""

    name: str
    rows: tuple[int, ...]
    """Those that count, by member."""


class Checkpoints:
    """The checkpoints of one cohort, and a segment of rows for those that are written here."""

    def __init__(
        self, folder: Path, members: int, identity: dict[str, str], files: Files | None = None
    ) -> None:
        """`identity` names what must be the same on resume: code, libraries that decide numbers.

        `files`: how they are written; None to read only.
        """
        self.folder = folder
        self.identity = identity
        self.number = 0
        self.step = 0
        """Agent steps that the newest one holds."""
        self.saved = [0] * members
        """Replay rows on disk, by member."""
        self._files = files or Files()
        self._earlier: tuple[Segment, ...] = ()
        """Segments of other attempts that the newest one is made of."""
        self._own: Segment | None = None
        if files is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, step: int, state: dict[str, Any], rows: Sequence[Tensor]) -> None:
        """Append `rows` (those since `saved`), write the state, then the note that counts."""
        # Killed anywhere in here, the last note still names what it named before.
        first = self._own is None
        own = self._own or self._new_segment()
        for member, new in enumerate(rows):
            self._append_rows(member, own, new)
        number = self.number + 1
        digest = write_state(self._path(number, "safetensors"), state, self._files)

        # What counts from now on, renamed into place as one file.
        lengths = [length + len(new) for length, new in zip(own.rows, rows, strict=True)]
        own = Segment(own.name, tuple(lengths))
        note = {
            "schema": SCHEMA,
            "step": step,
            "sha256": digest,
            "segments": [asdict(segment) for segment in (*self._earlier, own)],
            "row_width": int(rows[0].shape[1]),
            "dtype": str(rows[0].dtype).removeprefix("torch."),
            "identity": self.identity,
        }
        self._files.write_json(self._path(number, "json"), note)
        self.number = number
        self.step = step
        self.saved = [saved + len(new) for saved, new in zip(self.saved, rows, strict=True)]
        self._own = own
        self._remove_old(segments_too=first)

    def _new_segment(self) -> Segment:
        """A segment with an empty file for each member."""
        segment = Segment(secrets.token_hex(4), (0,) * len(self.saved))
        for member in range(len(self.saved)):
            self._files.create(self._rows(member, segment)).close()
        return segment

    def _remove_old(self, segments_too: bool) -> None:
        """One older checkpoint stays, for a state that is found broken; so do its segments, which
        are among the newest one's."""
        for old in self._numbers():
            if old <= self.number - KEPT:
                self._files.remove(self._path(old, "json"))
                self._files.remove(self._path(old, "safetensors"))

        # Attempts that were killed before their first note left segments that nobody names.
        if segments_too and self._own is not None:
            named = {segment.name for segment in (*self._earlier, self._own)}
            for path in self.folder.glob("rows-*.bin"):
                if path.stem.rpartition("-")[2] not in named:
                    self._files.remove(path)

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
            self._earlier = _segments(note, len(self.saved))
            self._own = None
            self.saved = _totals(self._earlier, len(self.saved))
            return checkpoint, drifted

        if reasons:
            raise UserError(
                f"{self.folder}: no checkpoint is whole ({'; '.join(reasons)}). Remove this folder"
                " to begin the cohort again."
            )
        return None

    def clear(self) -> None:
        """The cohort is finished: nothing is left to resume from."""
        for path in self.folder.glob("*"):
            self._files.remove(path)

    def _append_rows(self, member: int, segment: Segment, rows: Tensor) -> None:
        """Behind the rows that count, over whatever a writing that failed left there."""
        with open(self._rows(member, segment), "r+b", opener=no_link) as file:
            file.seek(segment.rows[member] * rows.shape[1] * rows.element_size())
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
        segments = _segments(note, len(self.saved))
        rows = [
            self._read_rows(member, segments, note["row_width"], dtype)
            for member in range(len(self.saved))
        ]
        return Checkpoint(number, int(note["step"]), read_state(path), rows), note

    def _read_rows(
        self, member: int, segments: Sequence[Segment], width: int, dtype: torch.dtype
    ) -> Tensor:
        """A member's rows that count, of all segments [n, width]."""
        total = sum(segment.rows[member] for segment in segments)
        if total == 0:
            return torch.zeros(0, width, dtype=dtype)

        sizes = {
            self._rows(member, segment): segment.rows[member] * width * dtype.itemsize
            for segment in segments
        }
        for path, size in sizes.items():
            if path.stat().st_size < size:
                raise ValueError(f"{path.name} is shorter than it was")

        raw = bytearray(sum(sizes.values()))
        place = memoryview(raw)
        for path, size in sizes.items():
            with open(path, "rb", opener=no_link) as file:
                file.readinto(place[:size])
            place = place[size:]
        return torch.frombuffer(raw, dtype=dtype).view(total, width)

    def _numbers(self) -> list[int]:
        return _numbers(self.folder)

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number}.{suffix}"

    def _rows(self, member: int, segment: Segment) -> Path:
        return self.folder / f"rows-{member}-{segment.name}.bin"


def _segments(note: dict[str, Any], members: int) -> tuple[Segment, ...]:
    """The segments of a note. Raises one of UNREADABLE."""
    segments = tuple(
        Segment(each["name"], tuple(int(rows) for rows in each["rows"]))
        for each in note["segments"]
    )
    for segment in segments:
        if len(segment.rows) != members or not re.fullmatch("[0-9a-f]{8}", segment.name):
            raise ValueError(f"{segment} is no segment of {members} members")
    return segments


def _totals(segments: Sequence[Segment], members: int) -> list[int]:
    """Rows of all segments, by member."""
    return [sum(segment.rows[member] for segment in segments) for member in range(members)]


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
