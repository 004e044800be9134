"""Two finished plan folders side by side: what each states, and whether they are alike.

Everything here is read from the verified statement and the documents that its verification read,
never from files that lie beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from agents.catalog import AGENTS, agent_spec
from agents.members.blocks import RESIDUALS
from harness.entries.ranking import DRIFTED
from harness.entries.verified import Verified, verified
from harness.errors import Incomplete, NonConforming, UserError, suggestion
from harness.planning.plan import Plan
from harness.training.results import Timing
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.layout import TIMING, run_file
from leaderboard.formats.run import Run, StatedRun
from leaderboard.formats.statement import Predicate
from leaderboard.statistics import gate

SAME = ("precision", "agent", "regimes", "budget", "evaluation")
"""Fields in which two plans must agree to be comparable, as what their networks are made of must:
settings and blocks of each task and regime."""
EVERY_SETTING = "settings"
"""Stands for all settings and blocks where those are named that may differ."""


@dataclass(frozen=True)
class Side:
    """A verified plan folder, as its entry states it."""

    folder: Path
    entry: Verified

    @property
    def plan(self) -> Plan:
        """What was carried out."""
        return self.entry.plan

    @property
    def stated(self) -> Predicate:
        """What its entry states."""
        return self.entry.documents.statement.predicate

    @property
    def runs(self) -> tuple[StatedRun, ...]:
        """Every run of the plan; none is missing."""
        return self.stated.runs

    @property
    def cells(self) -> dict[str, list[float]]:
        """Scores by task and regime."""
        return gate.scores(self.runs)

    def timings(self) -> list[Timing]:
        """timing.json of every run, as it was signed; Refused if it is none."""
        timings = list[Timing]()
        for run in self.runs:
            name = run_file(run.name, TIMING)
            try:
                timings.append(parse(Timing, self.entry.read(name), name))
            except DocumentError as error:
                raise self.entry.refused("timing", str(error)) from None
        return timings


@dataclass(frozen=True)
class Differing:
    """A setting or a block in which two sides differ."""

    name: str
    """A setting, or `blocks.` and a module."""
    groups: tuple[str, ...]
    """The tasks and regimes that have the same two values."""
    a: object
    b: object


def sides(
    baseline: Path, candidate: Path, trust: Path | None = None, across: Sequence[str] = ()
) -> tuple[Side, Side]:
    """Two plan folders, verified and comparable. `trust`: with it, re-evaluations beside their
    entries count. `across`: settings and blocks in which they may differ.

    Raises Refused for an entry that does not verify, NonConforming if the two are not comparable,
    Incomplete if runs are missing.
    """
    old = side(baseline, trust)
    new = side(candidate, trust)
    _check_comparable(old, new, across)
    for each in (old, new):
        _check_seeds(each)
    return old, new


def side(folder: Path, trust: Path | None = None) -> Side:
    """A plan folder, verified, with every run; errors as in `sides`."""
    entry = verified(folder, trust)
    missing = sum(run.missing for run in entry.runs)
    if missing:
        raise Incomplete(
            f"{folder}: {missing} of {len(entry.runs)} runs are missing; carry them out first."
        )
    return Side(folder, entry)


def _check_seeds(side: Side) -> None:
    """One seed has no spread, and no difference is judged without one."""
    if any(len(scores) < 2 for scores in side.cells.values()):
        raise UserError(
            f"{side.folder}: has one seed; a comparison needs two at least, and says little below"
            " five."
        )


def check_across(names: Sequence[str]) -> None:
    """UserError unless every name is a setting or a block of some algorithm."""
    known = {EVERY_SETTING}
    for agent in AGENTS:
        spec = agent_spec(agent)
        known |= {field.name for field in fields(spec)}
        known |= {f"blocks.{key}" for key in (*spec.BLOCKS, *RESIDUALS)}
    for name in names:
        if name not in known:
            raise UserError(f"--across {name}: unknown setting.{suggestion(name, sorted(known))}")


def _check_comparable(old: Side, new: Side, across: Sequence[str]) -> None:
    """Both sides trained the same agents on the same simulation, for as long."""
    different = [name for name in SAME if getattr(old.plan, name) != getattr(new.plan, name)]
    settings = {difference.name for difference in differing(old, new)}
    if EVERY_SETTING not in across:
        different += sorted(name for name in settings if name not in across)

    # Machines with other bits simulate other physics.
    simulated = new.stated.fingerprints
    for task, fingerprint in old.stated.fingerprints.items():
        if simulated.get(task) != fingerprint:
            different.append(f"simulation of {task}")

    # A task or regime that the candidate left out cannot be judged.
    if not old.cells.keys() <= new.cells.keys():
        different.append("tasks and regimes")
    if different:
        raise NonConforming(
            f"{new.folder}: is not comparable with {old.folder}: they differ in"
            f" {', '.join(different)}."
        )


def differing(old: Side, new: Side) -> list[Differing]:
    """The settings and blocks in which two sides differ, in the tasks and regimes of both."""
    groups = dict[tuple[str, str, str], list[str]]()
    values = dict[tuple[str, str, str], tuple[object, object]]()
    runs = {run.group: run for run in old.plan.runs}
    theirs = {run.group for run in new.plan.runs}
    for group, run in runs.items():
        if group not in theirs:
            continue
        before = _network(old.plan, run)
        after = _network(new.plan, run)
        for name in before.keys() | after.keys():
            pair = (before.get(name), after.get(name))
            if pair[0] != pair[1]:
                key = (name, repr(pair[0]), repr(pair[1]))
                values[key] = pair
                groups.setdefault(key, []).append(group)

    return [Differing(key[0], tuple(groups[key]), *values[key]) for key in sorted(groups)]


def same_settings(across: Sequence[str], settings: Sequence[Differing]) -> list[str]:
    """Which of the settings that may differ do not: what a comparison says nothing of."""
    differ = {row.name for row in settings}
    if differ:
        differ.add(EVERY_SETTING)
    return [name for name in dict.fromkeys(across) if name not in differ]


def _network(plan: Plan, run: Run) -> dict[str, object]:
    """Every setting and block that a run was trained with."""
    blocks = {f"blocks.{module}": block for module, block in plan.blocks_of(run).items()}
    return {**asdict(plan.agent_settings(run)), **blocks}


def same_results(old: Side, new: Side) -> bool:
    """Whether both carried out the same runs, and every run returned the same."""
    return _results(old) == _results(new)


def _results(side: Side) -> dict[str, object]:
    """Run -> what it came to."""
    return {run.name: (run.status, run.score, run.final_returns) for run in side.runs}


def changed(old: Side, new: Side) -> list[str]:
    """What differs between two sides beside the seeds of their runs; none if nothing does.

    Equal seeds that gave other results are a difference too: what made them is not stated.
    """
    before = old.stated
    after = new.stated
    parts = {
        "the code": before.source.code_sha256 == after.source.code_sha256,
        "the versions": before.versions == after.versions,
        "the plan": _without_seeds(old) == _without_seeds(new),
        "the simulation": before.fingerprints == after.fingerprints,
        "the canary": before.canary == after.canary,
        # The canary learns on a CPU; it says nothing of another GPU.
        "the GPUs": before.hardware.gpus == after.hardware.gpus,
        "code within a run": not any(DRIFTED in each.unranked_because for each in (before, after)),
    }
    different = [part for part, same in parts.items() if not same]
    if _names(old) & _names(new) and not _agree(old, new):
        different.append("the results of equal seeds")
    return different


def _without_seeds(side: Side) -> object:
    """A plan but for the seeds of its runs."""
    document = side.plan.document()
    return {**document, "runs": {run.group for run in side.plan.runs}}


def _names(side: Side) -> set[str]:
    return {run.name for run in side.runs}


def _agree(old: Side, new: Side) -> bool:
    """Whether the runs that both sides have came to the same."""
    before = _results(old)
    after = _results(new)
    return all(before[name] == after[name] for name in before.keys() & after.keys())
