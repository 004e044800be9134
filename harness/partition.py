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
from harness.plan import Plan, Run
from harness.records import read_json, write_json

SCHEMA = "urn:mst-bench:cohorts:v1"
FILE = "cohorts.json"

MEMBERS = {"cpu": 4, "cuda": 8}
"""Members of a cohort by device class. On the CPU one seed under four regimes; what other sizes gain is measured by
`benchmarks/core.py`. On a GPU, until measured, the size of the pilot suite."""


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
    members: int
    cohorts: tuple[Cohort, ...]


def partition(plan: Plan, device_class: str, members: int | None = None) -> Cohorts:
    """Seeds complete before the next begins, and tasks and networks take turns, so that each of them starts early."""
    size = members or MEMBERS[device_class]
    alike = dict[tuple[Any, ...], list[Run]]()
    for run in plan.runs:
        alike.setdefault((run.task, plan.agent_settings(run), *plan.blocks_of(run).items()), []).append(run)
    chunks = [[tuple(runs[at : at + size]) for at in range(0, len(runs), size)] for runs in alike.values()]
    turns = [chunk for turn in zip_longest(*chunks) for chunk in turn if chunk]
    cohorts = tuple(Cohort(index, chunk[0].task, chunk) for index, chunk in enumerate(turns))
    return Cohorts(SCHEMA, device_class, size, cohorts)


def frozen_cohorts(folder: Path, plan: Plan, device_class: str, members: int | None) -> Cohorts:
    """cohorts.json of a plan folder, made when it is not there yet."""
    path = folder / FILE
    found = read_cohorts(folder)
    if found is not None:
        if sorted(run.name for cohort in found.cohorts for run in cohort.runs) != sorted(run.name for run in plan.runs):
            raise UserError(f"{path}: does not hold the runs of the plan beside it. Remove it; it is made again.")
        return found
    cohorts = partition(plan, device_class, members)
    write_json(path, asdict(cohorts))
    return cohorts


def read_cohorts(folder: Path) -> Cohorts | None:
    """cohorts.json of a plan folder, if it is there yet."""
    path = folder / FILE
    return build(Cohorts, read_json(path), FILE) if path.exists() else None
