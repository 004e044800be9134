"""Infrastructure faults of cohorts: noted where they happen, so that a run that has no result says why.

A fault is never an agent's doing: the simulator's native code, or the process that trains, ended or hung. The cohort goes on
from its last checkpoint, `--retries` times; then it is left incomplete, and the same command tries again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.config import build
from harness.files import read_json, write_json
from harness.folder import Folder
from harness.planning.cohorts import Cohort, read_cohorts

SCHEMA = "urn:mst-bench:faults:v1"


@dataclass(frozen=True)
class Fault:
    """One fault of a cohort."""

    time: str
    """When, in UTC."""
    agent_step: int
    """Agent steps done when it happened."""
    reason: str
    """What broke, and how."""


@dataclass(frozen=True)
class Faults:
    """faults.json of a cohort."""

    schema: str
    faults: tuple[Fault, ...]
    """Oldest first."""


def note(folder: Path, cohort: Cohort, agent_step: int, reason: str) -> None:
    """Add a fault to a cohort's list."""
    fault = Fault(datetime.now(UTC).isoformat(timespec="seconds"), agent_step, reason)
    write_json(_path(folder, cohort), asdict(Faults(SCHEMA, (*faults(folder, cohort), fault))))


def faults(folder: Path, cohort: Cohort) -> tuple[Fault, ...]:
    """Faults of a cohort so far, oldest first."""
    path = _path(folder, cohort)
    return build(Faults, read_json(path), "faults.json").faults if path.exists() else ()


def all_faults(folder: Path) -> dict[Cohort, tuple[Fault, ...]]:
    """Every cohort of a plan folder that had faults, with them."""
    cohorts = read_cohorts(folder)
    found = {cohort: faults(folder, cohort) for cohort in (cohorts.cohorts if cohorts else ())}
    return {cohort: noted for cohort, noted in found.items() if noted}


def _path(folder: Path, cohort: Cohort) -> Path:
    return Folder(folder).cohort(cohort.index).faults
