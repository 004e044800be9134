"""Writes what plan folders hold: a table of every number, or curves in a tracker's store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from harness.entries.verified import verified
from harness.errors import UserError
from harness.exports import FILES, TRACKERS, Store, Tracked
from harness.files import check_can_write, digest_file
from harness.folder import Folder
from harness.planning.plan import read_stated
from leaderboard.data.frames import recorded
from leaderboard.data.tidy import Recorded, Row, figures, rows
from leaderboard.formats.document import DocumentError
from leaderboard.formats.records import EvaluationRecord, FinalRecord, Record
from leaderboard.formats.run import Run

WAYS = (*(f"FILE{ending}" for ending in FILES), *TRACKERS)
"""What a table or its curves can be written to."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    runs: int
    """Runs that have anything."""
    numbers: int


@dataclass(frozen=True)
class Point:
    """What a run measured at one step, as a tracker shows it: returns as the mean of their
    episodes, diagnostics as `MODULE/NAME`."""

    environment_step: int
    final: bool
    """Whether it is the measurement of the final policy."""
    values: dict[str, float]


def source(folder: Path, trust: Path | None = None) -> Recorded:
    """The records of a plan folder. An entry is verified first, and only its signed bytes are read;
    without one, whatever is there so far is. Raises Refused if an entry does not verify."""
    paths = Folder(folder)
    if paths.entry.exists():
        return recorded(verified(folder, trust).documents)

    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.exists() else None

    plan, suite = read_stated(paths.plan)
    return Recorded(
        plan=digest_file(paths.plan)[:16],
        suite=suite.name,
        verified=False,
        action_repeat=plan.budget.action_repeat,
        runs=plan.runs,
        read=read,
    )


def export(sources: Sequence[Recorded], to: str, out: Path) -> Exported:
    """Write plans to a file, or for a tracker to a folder under `out`.

    UserError for an unknown way, a library that is not installed, a path that cannot be written,
    and for records that were edited.
    """
    path = Path(to)
    try:
        if path.suffix in FILES:
            return _table(sources, path)
        if to in TRACKERS:
            return _curves(sources, TRACKERS[to].load(f"--to {to}")(out))
    except DocumentError as error:
        raise UserError(f"{error} It was cut or edited.") from None
    raise UserError(f"--to {to}: expected one of {', '.join(WAYS)}.")


def _table(sources: Sequence[Recorded], path: Path) -> Exported:
    """The table of all plans in one file."""
    write = FILES[path.suffix].load(f"--to {path}")
    check_can_write(path)
    runs = set[tuple[str, Run]]()
    numbers = 0

    def counted() -> Iterator[Row]:
        nonlocal numbers
        for row in chain.from_iterable(map(rows, sources)):
            numbers += 1
            runs.add((row.plan, Run(row.task, row.regime, row.seed)))
            yield row

    write(path, counted())
    return Exported(path, len(runs), numbers)


def _curves(sources: Sequence[Recorded], store: Store) -> Exported:
    """The curves of all runs that have any, each in its own place of the store."""
    runs = numbers = 0
    for plan in sources:
        for run in plan.runs:
            measured = list(points(plan, run))
            if not measured:
                continue
            curve = store.open(Tracked(plan.plan, plan.suite, run))
            for point in measured:
                curve.log(point.environment_step, point.values)
                numbers += len(point.values)
            curve.close()
            runs += 1
    store.close()
    return Exported(store.path, runs, numbers)


def points(plan: Recorded, run: Run) -> Iterator[Point]:
    """What a run measured, one point for each evaluation, and `score` for the final policy."""
    for record in plan.records(run):
        point = point_of(record, plan.action_repeat)
        if point is not None:
            yield point


def point_of(record: Record, action_repeat: int) -> Point | None:
    """The point of a record; None if nothing was measured in it."""
    if not isinstance(record, EvaluationRecord | FinalRecord):
        return None
    mean = math.fsum(record.returns) / len(record.returns)
    step = record.agent_step * action_repeat
    if isinstance(record, FinalRecord):
        return Point(step, True, {"score": mean})
    values = {"return": mean}
    for name, value in figures(record).items():
        if value is not None:
            values[name.replace(".", "/", 1)] = value
    return Point(step, False, values)
