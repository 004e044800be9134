"""Runs to cohorts: which runs are trained together as one program.

Cohorts depend on the plan, the device class and declared limits alone, never on how many cores or
cards a machine has. The same plan therefore makes the same cohorts, and the same numbers,
everywhere in its device class.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from pathlib import Path

from harness.config import build
from harness.errors import UserError
from harness.files import read_json, write_json
from harness.folder import Folder
from harness.planning.plan import Plan
from harness.planning.sizing import cohort_size, declared_gib
from leaderboard.formats.run import Run

SCHEMA = "urn:mst-bench:cohorts:v1"

Program = tuple[object, ...]
"""Task, settings and blocks: runs whose programs are equal can be trained as one."""


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
    """The memory that this size was worked out for."""
    cohorts: tuple[Cohort, ...]


def partition(
    plan: Plan, device_class: str, members: int | None = None, memory_gib: float | None = None
) -> Cohorts:
    """Divides the runs of a plan into cohorts.

    Seeds complete before the next begins. Tasks and networks take turns, so that each of them
    starts early.
    """
    memory = memory_gib or declared_gib(device_class)

    # Consecutive seeds of one program make a cohort.
    queues = []
    for runs in alike(plan).values():
        size = members or cohort_size(plan, runs[0], device_class, memory)
        queues.append([tuple(runs[first : first + size]) for first in range(0, len(runs), size)])

    # Programs take turns; one with fewer cohorts than the others runs out early.
    turns = filter(None, chain.from_iterable(zip_longest(*queues)))
    cohorts = tuple(Cohort(index, runs[0].task, runs) for index, runs in enumerate(turns))
    return Cohorts(SCHEMA, device_class, members, memory, cohorts)


def program(plan: Plan, run: Run) -> Program:
    """What a run trains, apart from its masks and its seed."""
    return (run.task, plan.agent_settings(run), *plan.blocks_of(run).items())


def alike(plan: Plan) -> dict[Program, list[Run]]:
    """The runs of each program, in the plan's order."""
    # Seeds of a group have one program, which takes a while to work out.
    programs = dict[str, Program]()
    by_program = dict[Program, list[Run]]()
    for run in plan.runs:
        if run.group not in programs:
            programs[run.group] = program(plan, run)
        by_program.setdefault(programs[run.group], []).append(run)
    return by_program


def frozen_cohorts(
    folder: Path,
    plan: Plan,
    device_class: str,
    members: int | None,
    memory_gib: float | None = None,
) -> Cohorts:
    """cohorts.json of a plan folder, made when it is not there yet."""
    path = Folder(folder).cohorts
    cohorts = read_cohorts(folder)
    if cohorts is None:
        cohorts = partition(plan, device_class, members, memory_gib)
        write_json(path, asdict(cohorts))
        return cohorts

    # A file that leaves runs out, or names others, would train something else.
    frozen = list[str]()
    for cohort in cohorts.cohorts:
        frozen += [run.name for run in cohort.runs]
    if sorted(frozen) != sorted(run.name for run in plan.runs):
        raise UserError(
            f"{path}: does not hold the runs of the plan beside it. Remove it; it is made again."
        )
    return cohorts


def read_cohorts(folder: Path) -> Cohorts | None:
    """cohorts.json of a plan folder, if it is there yet."""
    path = Folder(folder).cohorts
    return build(Cohorts, read_json(path), path.name) if path.exists() else None
