"""The life of a run: suite, plan, cohorts, executor, entry, verdict, table."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.entries import ranking
from harness.entries.entry import stated_runs, write_entry
from harness.entries.manifest import read_manifest
from harness.entries.page import write_report
from harness.errors import RESUME, Incomplete, NonConforming
from harness.executors import executor
from harness.folder import Folder
from harness.machine import image, resources
from harness.options import Options
from harness.planning.cohorts import Cohort, Cohorts, frozen_cohorts, read_cohorts
from harness.planning.estimate import estimate
from harness.planning.making import make_plan
from harness.planning.plan import Plan, check_writable, write_plan
from harness.planning.reader import load
from harness.planning.shorten import shortened
from harness.planning.sizing import card_gib
from harness.planning.suite import Suite
from harness.suites import shipped
from harness.training.faults import Fault, faults, faults_of
from harness.training.lease import running
from harness.training.progress import line, read_progress
from harness.training.results import time_shares
from harness.training.unit import finished, open_of
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.run import Count, Failure, StatedRun
from leaderboard.formats.run import Run as RunName
from leaderboard.verification.checks import Verdict
from leaderboard.verification.verify import verify


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

    @property
    def complete(self) -> bool:
        """Whether every run has a result."""
        return all(run.status != "missing" for run in self.runs)


@dataclass(frozen=True)
class CarriedOut:
    """A plan that was carried out, and the verdict on its entry."""

    summary: Summary
    verdict: Verdict


@dataclass(frozen=True)
class Request:
    """What `run` is asked for."""

    suite: str
    out: Path
    overrides: tuple[str, ...] = ()
    budget_scale: float = 1.0
    executor: str = "local"
    members: int | None = None
    options: Options = field(default_factory=Options)
    own: Mapping[str, object] = field(default_factory=dict)
    """The executor's own options: field -> value."""


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


def plan_of(request: Request) -> tuple[Suite, Plan]:
    """The suite and its plan, with overrides and budget scale applied and recorded as changes."""
    resolved = load(request.suite, request.overrides)
    changes = [f"--set {override}" for override in request.overrides]
    if request.suite not in shipped():
        changes.append("own suite file")
    if request.budget_scale != 1.0:
        resolved = shortened(resolved, request.budget_scale)
        changes.append(f"--budget-scale {request.budget_scale:g}")

    # A suite may be run with another algorithm than it was written for.
    for name, regime in resolved.regimes.items():
        if regime.left_out:
            modules = ", ".join(regime.left_out)
            print(
                f"mst-bench: regime {name}: agent {resolved.suite.agent} has no {modules}; what"
                " the suite says of it is left out",
                file=sys.stderr,
            )
    return resolved.suite, make_plan(resolved, tuple(changes))


def execute(request: Request, key: SigningKey) -> CarriedOut:
    """Carry a request out. Raises Incomplete if runs are missing at the end."""
    suite, plan = plan_of(request)
    return carry_out(plan, suite.device, request, key)


def carry_out(plan: Plan, need: str, request: Request, key: SigningKey) -> CarriedOut:
    """Carry out a plan that was made already; `need`: the device that its suite asks for.

    Of the request, everything but the suite counts.
    """
    # What must be right before anything is written.
    started = time.time()
    chosen = executor(request.executor, request.own)
    check_writable(request.out)
    image.check_sample()
    device = chosen.choose_device(request.options, need, plan.suite.name)
    if advice := image.unkept(request.out):
        print(f"mst-bench: {advice}", file=sys.stderr)

    # Training, unless every result and the manifest are there.
    folder = write_plan(plan, request.out)
    device_class = device.partition(":")[0]
    cohorts = frozen_cohorts(folder, plan, device_class, request.members, card_gib(device))
    open_cohorts = open_of(folder, cohorts)
    reasons: list[str] = []
    executing = bool(open_cohorts) or not Folder(folder).manifest.exists()
    if executing:
        jobs = _jobs(request, plan, open_cohorts, device, chosen.gpus)
        options = replace(request.options, device=device, jobs=jobs)
        _withdraw(folder)
        reasons = chosen.execute(folder, plan, open_cohorts, options)
        try:
            chosen.seal(folder, plan, started, options)
        except Incomplete as error:
            raise Incomplete(" ".join([*reasons, str(error)])) from None

    # The entry, and what is said of it.
    state = read_state(folder, plan, cohorts)
    verdict = _signed(folder, plan, key, state)
    carried_out = CarriedOut(_summary(folder, plan, state), verdict)
    if reasons or not carried_out.summary.complete:
        raise Incomplete(" ".join(reasons or ["some runs have no result."]), RESUME)
    return carried_out


def _withdraw(folder: Path) -> None:
    """Remove report, entry and manifest, which know nothing of what is about to be carried out.

    Wherever this session is killed, the next one then seals and signs.
    """
    paths = Folder(folder)
    for path in (paths.report, paths.entry, paths.manifest):
        path.unlink(missing_ok=True)


def _signed(folder: Path, plan: Plan, key: SigningKey, state: State) -> Verdict:
    """The verdict on a plan folder's entry, which is signed first, with its report."""
    # A one-use key never replaces a signature that is there.
    paths = Folder(folder)
    signing = not paths.entry.exists() or not key.one_use
    if signing:
        write_entry(folder, plan, key, state.runs)

    # It is judged as anyone would judge it, by its files alone.
    verdict = verify(paths.entry)
    if verdict.accepted and (signing or not paths.report.exists()):
        write_report(folder, verdict)
    return verdict


def _jobs(request: Request, plan: Plan, cohorts: list[Cohort], device: str, gpus: int = 1) -> int:
    """Cohorts at a time: as asked, else one a core, or a GPU, as far as memory goes.

    Raises NonConforming if memory or disk do not suffice.
    """
    # What fits: of the free memory, as many cohorts as it holds.
    needs = estimate(plan, cohorts)
    memory = resources.memory_gib()
    fitting = int(memory / needs.memory_gib) if cohorts else 1

    # What is asked for, or else useful.
    jobs = request.options.jobs
    if jobs is None:
        jobs = min(resources.cores(), max(1, fitting)) if device == "cpu" else gpus
    jobs = min(jobs, max(1, len(cohorts)))
    if jobs > fitting:
        raise NonConforming(
            f"{jobs} cohorts at a time need about {jobs * needs.memory_gib:.1f} GiB of memory, and"
            f" {memory:.1f} GiB are free. Give fewer --jobs, fewer --members (the cohorts are then"
            " others), or a machine with more memory."
        )

    # The disk must hold all results, and the checkpoints of what runs at a time.
    disk = resources.disk_gib(request.out)
    needed_disk = needs.disk_gib + jobs * needs.checkpoint_gib
    if needed_disk > disk:
        raise NonConforming(
            f"--out {request.out}: results and checkpoints need about {needed_disk:.1f} GiB of"
            f" disk, and {disk:.1f} GiB are free. Make room, or give another --out."
        )
    return jobs


def unfinished(folder: Path) -> list[dict[str, Any]]:
    """Cohorts that have no results yet: how far each is, whether it runs, and its faults."""
    cohorts = read_cohorts(folder)
    if cohorts is None:
        return []
    return [_status(folder, cohort) for cohort in cohorts.cohorts if not finished(folder, cohort)]


def _status(folder: Path, cohort: Cohort) -> dict[str, Any]:
    alive = running(folder, cohort)
    progress = read_progress(folder, cohort.index)
    known_faults = faults(folder, cohort)
    text = line(folder, cohort, alive)
    if known_faults:
        text += f", {len(known_faults)} infrastructure faults"
    return {
        "cohort": cohort.index,
        "running": alive,
        "progress": asdict(progress) if progress else None,
        "faults": [asdict(fault) for fault in known_faults],
        "line": text,
    }


def summary(folder: Path, plan: Plan) -> Summary:
    """Every run of a plan folder with its status and score, and why the plan is not ranked."""
    return _summary(folder, plan, read_state(folder, plan, read_cohorts(folder)))


def _summary(folder: Path, plan: Plan, state: State) -> Summary:
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
        ranked=not reasons,
        unranked_because=reasons,
        runs=[_shown(run) for run in state.runs],
    )


def _shown(run: StatedRun) -> ShownRun:
    return ShownRun(run.task, run.regime, run.seed, run.status, run.score, run.failure, run.weights)
