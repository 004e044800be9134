"""Runs to cohorts: which runs are trained together as one program.

Cohorts depend on the plan, the device class and declared limits alone, never on how many cores or cards a machine has, so
the same plan makes the same cohorts, and the same numbers, everywhere in its device class.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.config import build
from harness.errors import UserError
from harness.files import read_json, write_json
from harness.folder import Folder
from harness.planning.plan import Plan, Run
from harness.planning.sizing import cohort_size, declared_gib

SCHEMA = "urn:mst-bench:cohorts:v1"


@dataclass(frozen=True)
class Cohort:
    """Runs of one task and one network that are trained along one member axis."""

    index: int
    task: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Cohorts:
    """cohorts.json: frozen when first executed."""

    schema: str
    device_class: str
    members: int | None
    """Members of a cohort as asked for; None: by harness/planning/sizing.py."""
    memory_gib: float
    """What that counted with."""
    cohorts: tuple[Cohort, ...]


def partition(
    plan: Plan, device_class: str, members: int | None = None, memory_gib: float | None = None
) -> Cohorts:
    """Seeds complete before the next begins, and tasks and networks take turns, so that each of them starts early."""
    memory = memory_gib or declared_gib(device_class)
    chunks = []
    for runs in alike(plan).values():
        size = members or cohort_size(plan, runs[0], device_class, memory)
        chunks.append([tuple(runs[at : at + size]) for at in range(0, len(runs), size)])
    turns = [chunk for turn in zip_longest(*chunks) for chunk in turn if chunk]
    cohorts = tuple(Cohort(index, chunk[0].task, chunk) for index, chunk in enumerate(turns))
    return Cohorts(SCHEMA, device_class, members, memory, cohorts)


def kind(plan: Plan, run: Run) -> tuple[Any, ...]:
    """Task and network of a run: runs of one kind could be one program."""
    return (run.task, plan.agent_settings(run), *plan.blocks_of(run).items())


def alike(plan: Plan) -> dict[tuple[Any, ...], list[Run]]:
    """The runs of each kind, in the plan's order."""
    found = dict[tuple[Any, ...], list[Run]]()
    for run in plan.runs:
        found.setdefault(kind(plan, run), []).append(run)
    return found


def frozen_cohorts(
    folder: Path,
    plan: Plan,
    device_class: str,
    members: int | None,
    memory_gib: float | None = None,
) -> Cohorts:
    """cohorts.json of a plan folder, made when it is not there yet."""
    path = Folder(folder).cohorts
    found = read_cohorts(folder)
    if found is not None:
        if sorted(run.name for cohort in found.cohorts for run in cohort.runs) != sorted(
            run.name for run in plan.runs
        ):
            raise UserError(
                f"{path}: does not hold the runs of the plan beside it. Remove it; it is made again."
            )
        return found
    cohorts = partition(plan, device_class, members, memory_gib)
    write_json(path, asdict(cohorts))
    return cohorts


def read_cohorts(folder: Path) -> Cohorts | None:
    """cohorts.json of a plan folder, if it is there yet."""
    path = Folder(folder).cohorts
    return build(Cohorts, read_json(path), path.name) if path.exists() else None
