"""A plan folder in short: every run and its score, and how far unfinished cohorts are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.entries import ranking
from harness.entries.entry import stated_runs
from harness.entries.manifest import read_manifest
from harness.entries.verified import Verified
from harness.errors import UserError
from harness.executors import slurm_queue
from harness.folder import Folder
from harness.planning.cohorts import Cohort, Cohorts, read_cohorts
from harness.planning.plan import Plan, read_plan
from harness.training.faults import Fault, faults, faults_of
from harness.training.lease import running
from harness.training.progress import line, read_progress
from harness.training.results import time_shares
from harness.training.unit import finished
from harness.words import count
from leaderboard.formats.reeval import Level
from leaderboard.formats.run import Count, Failure, StatedRun
from leaderboard.formats.run import Run as RunName
from leaderboard.verification.checks import Verdict


@dataclass(frozen=True)
class ShownRun(RunName):
    """What a summary says of a planned run."""

    status: Literal["finished", "failed", "missing"]
    score: float | None
    failure: Failure | None
    weights: dict[str, Count]
    """Of each module."""


@dataclass(frozen=True)
class Summary:
    """A plan folder in short."""

    plan: str
    """Its id."""
    suite: str
    modules: list[str]
    """What every run trains."""
    folder: str
    entry: str | None
    """Path of the entry; None before there is one."""
    report: str | None
    faults: int
    """Infrastructure faults of all cohorts."""
    time: dict[str, float]
    """Activity -> share of the wall time of finished cohorts."""
    ranked: bool
    unranked_because: list[str]
    runs: list[ShownRun]
    level: Level | None = None
    """How far the entry was checked; None before there is one, or where it was not verified."""
    fresh: dict[str, float] = field(default_factory=dict)
    """Name of a run -> score that a trusted stranger measured; empty below L1."""

    @property
    def complete(self) -> bool:
        """Whether every run has a result."""
        return all(run.status != "missing" for run in self.runs)


@dataclass(frozen=True)
class State:
    """What lies in a plan folder, read once."""

    runs: tuple[StatedRun, ...]
    """As an entry states them."""
    cohorts: tuple[Cohort, ...]
    faults: dict[Cohort, tuple[Fault, ...]]
    """Of the cohorts that had any."""


def read_state(folder: Path, plan: Plan, cohorts: Cohorts | None) -> State:
    """The state of a plan folder; `cohorts` is None if none was begun yet."""
    known = cohorts.cohorts if cohorts else ()
    by_cohort = faults_of(folder, known)
    return State(stated_runs(folder, plan, by_cohort), known, by_cohort)


def unfinished(folder: Path) -> list[dict[str, Any]]:
    """Cohorts that have no results yet: how far each is, whether it runs, and its faults."""
    cohorts = read_cohorts(folder)
    if cohorts is None:
        return []
    jobs = slurm_queue.states(folder)
    return [
        _status(folder, cohort, jobs.get(cohort.index))
        for cohort in cohorts.cohorts
        if not finished(folder, cohort)
    ]


def _status(folder: Path, cohort: Cohort, job: str | None) -> dict[str, Any]:
    """`job`: what a scheduler says of it, in words."""
    alive = running(folder, cohort)
    progress = read_progress(folder, cohort.index)
    known_faults = faults(folder, cohort)
    text = line(folder, cohort, alive)
    if known_faults:
        text += f", {count(len(known_faults), 'infrastructure fault')}"
    if job:
        text += f"; {job}"
    return {
        "cohort": cohort.index,
        "running": alive,
        "progress": asdict(progress) if progress else None,
        "faults": [asdict(fault) for fault in known_faults],
        "job": job,
        "line": text,
    }


def signed_summary(entry: Verified) -> Summary:
    """What an entry states of every run, and what was measured of it since. Nothing is read but
    what was verified."""
    documents = entry.documents
    folder = entry.path.parent
    report = Folder(folder).report
    predicate = documents.statement.predicate
    return Summary(
        plan=predicate.plan.id,
        suite=documents.suite.name,
        modules=list(documents.plan.modules),
        folder=str(folder),
        entry=str(entry.path),
        report=str(report) if report.exists() else None,
        faults=documents.manifest.faults,
        time={},
        ranked=entry.verdict.ranked,
        unranked_because=list(entry.verdict.unranked_because),
        runs=[_shown(run) for run in entry.runs],
        level=entry.verdict.level,
        fresh=entry.fresh,
    )


def summary(folder: Path, plan: Plan, state: State | None = None) -> Summary:
    """Every run of a plan folder with its status and score, before there is an entry.

    `state`: of the folder, where it was read already.
    """
    if state is None:
        state = read_state(folder, plan, read_cohorts(folder))

    # The manifest knows drift and fingerprints too; before it is there, the plan alone speaks.
    paths = Folder(folder)
    if paths.manifest.exists():
        reasons = list(read_manifest(folder).unranked_because)
    else:
        reasons = ranking.unranked_because(plan)

    return Summary(
        plan=plan.id,
        suite=plan.suite.name,
        modules=list(plan.modules),
        folder=str(folder),
        entry=str(paths.entry) if paths.entry.exists() else None,
        report=str(paths.report) if paths.report.exists() else None,
        faults=sum(len(known) for known in state.faults.values()),
        time=time_shares(folder, (cohort.runs for cohort in state.cohorts)),
        ranked=False,
        unranked_because=[*reasons, ranking.UNSIGNED],
        runs=[_shown(run) for run in state.runs],
    )


def judged(short: Summary, verdict: Verdict) -> Summary:
    """The summary of a folder whose entry was verified a moment ago."""
    reasons = list(verdict.unranked_because)
    return replace(short, ranked=verdict.ranked, unranked_because=reasons)


def _shown(run: StatedRun) -> ShownRun:
    return ShownRun(run.task, run.regime, run.seed, run.status, run.score, run.failure, run.weights)


@dataclass(frozen=True)
class PlanRow:
    """A plan folder in one row."""

    plan: str
    suite: str
    runs: int
    finished: int
    """Runs that have a result."""
    state: str
    """`running`, `finished`, `stopped`, `not begun`, or why the folder cannot be read."""


def plan_row(folder: Path) -> PlanRow:
    """A plan folder in one row; nothing of its results is read."""
    try:
        plan = read_plan(Folder(folder).plan)
        cohorts = read_cohorts(folder)
    except UserError as error:
        return PlanRow(folder.name, "", 0, 0, str(error))
    ended = sum(Folder(folder).run(run).result.exists() for run in plan.runs)
    state = "finished" if ended == len(plan.runs) else "stopped"
    if cohorts is None:
        state = "not begun"
    elif any(running(folder, cohort) for cohort in cohorts.cohorts):
        state = "running"
    return PlanRow(folder.name, plan.suite.name, len(plan.runs), ended, state)
