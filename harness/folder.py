"""The map of OUT/<plan id>: the one place that spells where each file of a plan lies.

plan.json suite.json cohorts.json manifest.json results.csv entry.dsse.json
registration.json registration.tlog-proof beacon.json      of a registered plan
reeval.dsse.json report.html leases/ slurm/
runs/<task>/<regime>/<seed>/    records.jsonl, tensors, timing.json, result.json
cohorts/<i>/                    leases/, log.txt, progress.json, faults.json, trace.json,
                                ending.json, checkpoint/
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leaderboard.formats.layout import REGISTERED


class Named(Protocol):
    """A run, or whatever else is named `<task>/<regime>/<seed>`."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class RunFolder:
    """runs/<task>/<regime>/<seed>: what one run leaves."""

    path: Path

    @property
    def records(self) -> Path:
        """Every evaluation as it came, a line each, chained by digests."""
        return self.path / "records.jsonl"

    @property
    def result(self) -> Path:
        """What came of the run. Written last: the run is finished once it is there."""
        return self.path / "result.json"

    @property
    def timing(self) -> Path:
        """How long it took: the only file of a run that differs between two machines."""
        return self.path / "timing.json"

    def tensors(self, name: str) -> Path:
        """The weights of a module; `masks`: the first and last mask of every module."""
        return self.path / f"{name}.safetensors"


@dataclass(frozen=True)
class CohortFolder:
    """cohorts/<i>: the state of one cohort on its way. Nothing of it is signed."""

    path: Path

    @property
    def leases(self) -> Path:
        """A folder: who holds the cohort, and who held it before (training/lease.py)."""
        return self.path / "leases"

    @property
    def checkpoint(self) -> Path:
        """A folder with what resuming needs; empty once the cohort is finished."""
        return self.path / "checkpoint"

    @property
    def log(self) -> Path:
        """Output of the cohort's processes or containers, for people; no code reads it."""
        return self.path / "log.txt"

    @property
    def progress(self) -> Path:
        """How far it is; written anew every second."""
        return self.path / "progress.json"

    @property
    def faults(self) -> Path:
        """Infrastructure faults so far."""
        return self.path / "faults.json"

    @property
    def trace(self) -> Path:
        """With `--profile`: some agent steps, for Perfetto."""
        return self.path / "trace.json"

    @property
    def ending(self) -> Path:
        """How the last attempt ended; absent while it runs, and after it was killed."""
        return self.path / "ending.json"


@dataclass(frozen=True)
class Folder:
    """OUT/<plan id>."""

    path: Path

    @property
    def leases(self) -> Path:
        """Who seals the folder, which one process does at a time."""
        return self.path / "leases"

    @property
    def slurm(self) -> Path:
        """What was submitted to Slurm: scripts, and the output of the job that seals."""
        return self.path / "slurm"

    @property
    def plan(self) -> Path:
        """Everything that decides numbers. Its digest is the plan's id."""
        return self.path / "plan.json"

    @property
    def suite(self) -> Path:
        """What the suite is called, how it was changed, and what it claims."""
        return self.path / "suite.json"

    @property
    def registered(self) -> tuple[Path, ...]:
        """The files of a registered plan: its leaf, the proof of that, and the round of its
        seeds."""
        return tuple(self.path / name for name in REGISTERED)

    @property
    def cohorts(self) -> Path:
        """Which runs are trained together; fixed when the first one begins."""
        return self.path / "cohorts.json"

    @property
    def manifest(self) -> Path:
        """When, where and by which code the plan was carried out."""
        return self.path / "manifest.json"

    @property
    def results(self) -> Path:
        """A row for each planned run."""
        return self.path / "results.csv"

    @property
    def entry(self) -> Path:
        """The signed statement about all of this: what `verify` reads."""
        return self.path / "entry.dsse.json"

    @property
    def reeval(self) -> Path:
        """What a re-evaluation signed, unless it was told to write elsewhere."""
        return self.path / "reeval.dsse.json"

    @property
    def report(self) -> Path:
        """The page for people; no code reads it."""
        return self.path / "report.html"

    def run(self, run: Named) -> RunFolder:
        return RunFolder(self.path / "runs" / run.name)

    def cohort(self, index: int) -> CohortFolder:
        return CohortFolder(self.path / "cohorts" / str(index))
