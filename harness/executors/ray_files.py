"""Files of a plan folder, to a node of a Ray cluster and back, in chunks through Ray.

The plan folder holds what any engine would find there: a checkpoint is copied as soon as the cohort
wrote one, so another node, or another executor, goes on from it. Rows of the replay are appended on
both sides: only new ones travel.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from harness.executors.log import Log
from harness.executors.ray_cluster import NodeGone
from harness.executors.ray_node import SNAPSHOT
from harness.files import no_link, write_atomic
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.training.checkpoint import KEPT
from harness.training.held import Held
from leaderboard.formats import strict_json

CHUNK = 32 << 20
"""Bytes of a message."""

Call = Callable[..., Any]
"""(method of Node, its arguments) -> what it returns."""


def send(call: Call, folder: Path, names: list[str]) -> None:
    """Copy files of a plan folder to a node."""
    for name in names:
        with open(folder / name, "rb", opener=no_link) as file:
            offset = 0
            while (data := file.read(CHUNK)) or offset == 0:
                call("write", name, offset, data)
                offset += len(data)
                if not data:
                    break


def chunks(call: Call, name: str, sha256: str | None = None) -> Iterator[bytes]:
    """A file of a node, in parts. NodeGone if it does not fit its digest."""
    digest = hashlib.sha256()
    offset = 0
    while data := call("read", name, offset, CHUNK):
        digest.update(data)
        offset += len(data)
        yield data
    if sha256 is not None and digest.hexdigest() != sha256:
        raise NodeGone(f"{name} did not come back whole from its node.")


class CohortFiles:
    """What of a plan folder is one cohort's, here and on the node that carries it out."""

    def __init__(self, call: Call, folder: Path, cohort: Cohort, held: Held, log: Log) -> None:
        self._call = call
        self._folder = folder
        self._held = held
        self._log = log
        self._logged = 0
        self._stamps = dict[str, str]()
        """Of files that were brought, as the node had them."""

        # Names are the same on both sides.
        here = Folder(Path())
        paths = here.cohort(cohort.index)
        self._checkpoint = str(paths.checkpoint)
        self._progress = str(paths.progress)
        self._faults = str(paths.faults)
        self._trace = str(paths.trace)
        self._ending = str(paths.ending)
        self._runs = [str(here.run(run).path) for run in cohort.runs]
        self._records = [str(here.run(run).records) for run in cohort.runs]
        self._results = [str(here.run(run).result) for run in cohort.runs]
        self._plan = [str(here.plan), str(here.suite), str(here.cohorts)]
        self._rows = dict[str, int]()
        """Bytes of each file of rows that both sides have."""
        self._newest = 0

    # -- there --

    def send(self) -> None:
        """The plan, and what is needed to resume. Earlier results must not outlive their
        records."""
        for name in self._results:
            self._held.remove(self._folder / name)
        saved = [path for path in (self._folder / self._checkpoint).glob("[!.]*") if path.is_file()]
        for path in saved:
            if path.suffix == ".bin":
                self._rows[path.name] = path.stat().st_size
            elif path.suffix == ".json":
                self._newest = max(self._newest, int(path.stem))
        names = [f"{self._checkpoint}/{path.name}" for path in saved]
        optional = [
            name for name in (*self._records, self._faults) if (self._folder / name).is_file()
        ]
        send(self._call, self._folder, [*self._plan, *optional, *names])

    # -- and back --

    def bring(self) -> int | None:
        """Everything that is new; returns the exit code of the cohort's process, once it ended."""
        names = [self._progress, self._faults, *self._records]
        code: int | None = None
        while True:
            seen = self._call("look", names, self._logged)
            code = seen["code"]
            if output := seen["output"]:
                self._log.write(output)
                self._logged += len(output)
            if code is None or not output:
                break

        # What was recorded comes before the checkpoint that counts on it.
        number = self._call("snapshot", self._checkpoint, self._newest)
        seen = self._call("look", names, self._logged) if number is not None else seen
        for name, stamp in seen["stamps"].items():
            if self._stamps.get(name) != stamp:
                self._bring_whole(name)
                self._stamps[name] = stamp
        if number is not None:
            self._bring_checkpoint(number)
        return code

    def _bring_whole(self, name: str) -> None:
        """A small file, which may be written anew meanwhile: then it is brought again."""
        data = b"".join(chunks(self._call, name))
        if name in self._records:
            self._held.write(self._folder / name, data)
        else:
            write_atomic(self._folder / name, data)

    def _bring_checkpoint(self, number: int) -> None:
        """The rows that are new, the state, and then the note that counts."""
        note = b"".join(chunks(self._call, f"{SNAPSHOT}/{number}.json"))
        content: Any = strict_json.parse(note)
        rows = _row_files(content)
        for name, size in rows.items():
            self._append(name, size)
        folder = self._folder / self._checkpoint
        state = f"{number}.safetensors"
        parts = chunks(self._call, f"{SNAPSHOT}/{state}", content["sha256"])
        self._held.write(folder / state, parts)
        self._held.write(folder / f"{number}.json", note)
        self._newest = number
        self._remove_old(rows)

    def _append(self, name: str, size: int) -> None:
        """Bytes of a file of rows up to `size`."""
        path = self._folder / self._checkpoint / name
        if name not in self._rows:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._held.create(path).close()
            self._rows[name] = 0
        if self._rows[name] >= size:
            return
        with open(path, "r+b", opener=no_link) as file:
            offset = file.seek(self._rows[name])
            file.truncate()
            while offset < size:
                length = min(CHUNK, size - offset)
                data = self._call("read", f"{SNAPSHOT}/{name}", offset, length)
                if not data:
                    raise NodeGone(f"{name} did not come back whole from its node.")
                file.write(data)
                offset += len(data)
            file.flush()
            os.fsync(file.fileno())
        self._rows[name] = size

    def _remove_old(self, rows: dict[str, int]) -> None:
        """What neither the newest checkpoint nor the one before needs."""
        folder = self._folder / self._checkpoint
        numbers = sorted(int(path.stem) for path in folder.glob("[!.]*.json"))
        for number in numbers[:-KEPT]:
            self._held.remove(folder / f"{number}.json")
            self._held.remove(folder / f"{number}.safetensors")
        for path in folder.glob("rows-*.bin"):
            if path.name not in rows:
                self._held.remove(path)

    def bring_results(self) -> None:
        """The results of a finished cohort, each file whole or not at all, result.json last of all.
        Its checkpoint goes."""
        digests: dict[str, str] = self._call("files", self._runs)
        for name in sorted(digests, key=lambda name: name in self._results):
            self._held.write(self._folder / name, chunks(self._call, name, digests[name]))
        for path in (self._folder / self._checkpoint).glob("*"):
            self._held.remove(path)

    def bring_ending(self, there: str) -> None:
        """What the cohort says about its end, and its trace. `there`: the node's folder, which
        nobody finds any more."""
        if trace := b"".join(chunks(self._call, self._trace)):
            self._held.write(self._folder / self._trace, trace)
        if ending := b"".join(chunks(self._call, self._ending)):
            ending = ending.replace(there.encode(), str(self._folder).encode())
            self._held.write(self._folder / self._ending, ending)


def _row_files(note: dict[str, Any]) -> dict[str, int]:
    """Files of rows that the note of a checkpoint names, with the bytes of each that count."""
    row = int(note["row_width"]) * getattr(torch, note["dtype"]).itemsize
    return {
        f"rows-{member}-{segment['name']}.bin": rows * row
        for segment in note["segments"]
        for member, rows in enumerate(segment["rows"])
    }
