"""All that runs measured, as one table with a number in each row (docs/data.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter

from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import RECORDS, run_file
from leaderboard.formats.records import EvaluationRecord, FinalRecord, Record, parse_record
from leaderboard.formats.run import Run

RETURN = "return"
"""Of one episode of a scheduled evaluation."""
FINAL_RETURN = "final return"
"""Of one episode of the final policy; their mean is the score."""


@dataclass(frozen=True)
class Row:
    """One number that was measured."""

    plan: str
    """Id of the plan."""
    suite: str
    verified: bool
    """Whether it was read from an entry that verifies; else nobody has signed it yet."""
    task: str
    regime: str
    seed: int
    agent_step: int
    environment_step: int
    what: str
    """`return` or `final return` of an episode; else `MODULE.NAME`: a diagnostic of a module, or
    its `updates` or `rewires` so far."""
    episode: int | None
    """Number of the episode, from 0; None for what is no return."""
    value: float | None
    """None for a diagnostic that is not defined at this point."""


COLUMNS = tuple(field.name for field in fields(Row))
cells: Callable[[Row], tuple[object, ...]] = attrgetter(*COLUMNS)
"""The values of a row in the order of COLUMNS; `astuple` copies each and takes three times as
long."""


@dataclass(frozen=True)
class Recorded:
    """A plan whose runs left records."""

    plan: str
    """Its id."""
    suite: str
    verified: bool
    action_repeat: int
    runs: tuple[Run, ...]
    read: Callable[[str], bytes | None]
    """Name of a file in the plan's folder -> its bytes; None where there is none."""

    def records(self, run: Run) -> Iterator[Record]:
        """The records of a run, none while it has not begun.

        DocumentError for a line that is none; the last line of a run under way is left out, as
        another process may be writing it.
        """
        location = run_file(run.name, RECORDS)
        lines = (self.read(location) or b"").splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            try:
                yield parse_record(line, f"{location}:{number}")
            except DocumentError:
                if self.verified or number < len(lines):
                    raise


def rows(recorded: Recorded) -> Iterator[Row]:
    """The rows of a plan: run by run in the plan's order, each in the order of its records."""
    for run in recorded.runs:
        for record in recorded.records(run):
            if isinstance(record, EvaluationRecord | FinalRecord):
                yield from _rows_of(recorded, run, record)


def _rows_of(recorded: Recorded, run: Run, record: EvaluationRecord | FinalRecord) -> Iterator[Row]:
    """The rows of one measurement of a run."""
    step = record.agent_step
    final = isinstance(record, FinalRecord)

    def row(what: str, value: float | None, episode: int | None = None) -> Row:
        return Row(
            plan=recorded.plan,
            suite=recorded.suite,
            verified=recorded.verified,
            task=run.task,
            regime=run.regime,
            seed=run.seed,
            agent_step=step,
            environment_step=step * recorded.action_repeat,
            what=what,
            episode=episode,
            value=value,
        )

    for episode, value in enumerate(record.returns):
        yield row(FINAL_RETURN if final else RETURN, value, episode)
    if isinstance(record, EvaluationRecord):
        for what, figure in figures(record).items():
            yield row(what, figure)


def figures(record: EvaluationRecord) -> dict[str, float | None]:
    """`MODULE.NAME` -> number, of everything but the returns of an evaluation."""
    named = dict[str, float | None]()
    for module, diagnostics in record.diagnostics.items():
        for name, value in diagnostics.items():
            named[f"{module}.{name}"] = value
    for module, count in record.updates.items():
        named[f"{module}.updates"] = float(count)
    for module, count in record.rewires.items():
        named[f"{module}.rewires"] = float(count)
    return named
