"""Infrastructure faults of cohorts, recorded where they happen, so that a missing run has a reason.

A fault is never an agent's doing: the simulator's native code, or the process that trains, ended or
hung. The cohort resumes from its last checkpoint up to `--retries` times. Then it is left
incomplete, and the same command tries again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.config import build
from harness.files import Files, read_json
from harness.folder import Folder
from harness.planning.cohorts import Cohort, read_cohorts
from harness.words import count

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


def record(
    folder: Path, cohort: Cohort, agent_step: int, reason: str, files: Files | None = None
) -> None:
    """Add a fault to a cohort's list. `files`: of whoever holds the cohort, if somebody does."""
    fault = Fault(datetime.now(UTC).isoformat(timespec="seconds"), agent_step, reason)
    document = Faults(SCHEMA, (*faults(folder, cohort), fault))
    (files or Files()).write_json(Folder(folder).cohort(cohort.index).faults, asdict(document))


def gave_up(retries: int) -> str:
    """What is said of a cohort that was tried as often as allowed."""
    return f"gave up after {count(retries, 'retry', 'retries')}"


def faults(folder: Path, cohort: Cohort) -> tuple[Fault, ...]:
    """Faults of a cohort so far, oldest first."""
    path = Folder(folder).cohort(cohort.index).faults
    if not path.exists():
        return ()
    return build(Faults, read_json(path), path.name).faults


def faults_of(folder: Path, cohorts: Iterable[Cohort]) -> dict[Cohort, tuple[Fault, ...]]:
    """The cohorts that had faults, each with its own, oldest first."""
    by_cohort = {cohort: faults(folder, cohort) for cohort in cohorts}
    return {cohort: known for cohort, known in by_cohort.items() if known}


def all_faults(folder: Path) -> dict[Cohort, tuple[Fault, ...]]:
    """`faults_of` every cohort of a plan folder."""
    cohorts = read_cohorts(folder)
    return faults_of(folder, cohorts.cohorts if cohorts else ())
