"""The life of a run: suite, plan, cohorts, executor, entry, verdict, table."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.entries import ranking
from harness.entries.entry import stated_runs, write_entry
from harness.entries.manifest import read_manifest
from harness.entries.page import REPORT, write_report
from harness.entries.verified import Refused
from harness.errors import Incomplete, NonConforming
from harness.executors import executor
from harness.folder import ENTRY, MANIFEST
from harness.machine import image, resources
from harness.options import Options
from harness.planning.cohorts import Cohort, frozen_cohorts, read_cohorts
from harness.planning.estimate import estimate
from harness.planning.plan import Plan, check_writable, make_plan, write_plan
from harness.planning.reader import checked, load
from harness.planning.shorten import shortened
from harness.planning.sizing import card_gib
from harness.planning.suite import Suite
from harness.suites import shipped
from harness.training.faults import all_faults, faults
from harness.training.lease import running
from harness.training.progress import line, standing_of
from harness.training.results import time_shares
from harness.training.unit import finished
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.run import Count, Failure, StatedRun
from leaderboard.formats.run import Run as StatedName


@dataclass(frozen=True)
class ShownRun(StatedName):
    """What a summary says of a planned run."""

    status: Literal["finished", "failed", "missing"]
    score: float | None
    failure: Failure | None
    weights: dict[str, Count]
    """Of each module."""


@dataclass(frozen=True)
class Request:
    """What `run` was asked for."""

    suite: str
    out: Path
    overrides: tuple[str, ...] = ()
    budget_scale: float = 1.0
    executor: str = "local"
    members: int | None = None
    options: Options = field(default_factory=lambda: Options(device="auto"))


def plan_of(request: Request) -> tuple[Suite, Plan]:
    """The suite and its plan, with overrides and budget scale applied and written down as changes."""
    suite = load(request.suite, request.overrides)
    changes = tuple(f"--set {override}" for override in request.overrides)
    if request.suite not in shipped():
        changes = (*changes, "own suite file")
    if request.budget_scale != 1.0:
        suite = checked(shortened(suite, request.budget_scale), request.suite)
        changes = (*changes, f"--budget-scale {request.budget_scale:g}")
    return suite, make_plan(suite, changes)


def execute(request: Request, key: SigningKey) -> dict[str, Any]:
    """Carry a request out; returns the one document that `--json` prints. Raises Incomplete if runs are missing at the end."""
    suite, plan = plan_of(request)
    return carry_out(plan, suite.device, request, key)


def carry_out(plan: Plan, need: str, request: Request, key: SigningKey) -> dict[str, Any]:
    """The same for a plan; `need`: the device that its suite asks for. Of the request, everything but the suite counts."""
    started = time.time()
    check_writable(request.out)
    image.check_sample()
    carrier = executor(request.executor)
    device = carrier.choose_device(request.options, need, plan.suite)
    if advice := image.unkept(request.out):
        print(f"mst-bench: {advice}", file=sys.stderr)
    folder = write_plan(plan, request.out)
    cohorts = frozen_cohorts(
        folder, plan, device.partition(":")[0], request.members, card_gib(device)
    )
    open_cohorts = [cohort for cohort in cohorts.cohorts if not finished(folder, cohort)]
    wrong: list[str] = []
    executing = bool(open_cohorts) or not (folder / MANIFEST).exists()
    if executing:
        options = replace(
            request.options, device=device, jobs=_jobs(request, plan, open_cohorts, device)
        )
        wrong = carrier.execute(folder, plan, open_cohorts, options)
        try:
            carrier.seal(folder, plan, started, options)
        except Incomplete as error:
            raise Incomplete("; ".join([*wrong, str(error)])) from None
    # A one-use key never replaces a signature.
    entry = folder / ENTRY
    if executing or not entry.exists() or not key.one_use:
        write_entry(folder, plan, key)
        # Whoever gave the command verifies the entry next, and hears of a refusal.
        with suppress(Refused):
            write_report(folder)
    document = summary(folder, plan)
    if wrong or any(run["status"] == "missing" for run in document["runs"]):
        raise Incomplete(
            "; ".join(wrong or ["some runs have no result"]) + ". The same command goes on."
        )
    return document


def unfinished(folder: Path) -> list[dict[str, Any]]:
    """Cohorts that have no results yet: where each is, whether a process has it, and its faults."""
    cohorts = read_cohorts(folder)
    return [
        _place(folder, cohort)
        for cohort in (cohorts.cohorts if cohorts else ())
        if not finished(folder, cohort)
    ]


def _place(folder: Path, cohort: Cohort) -> dict[str, Any]:
    alive, standing, noted = (
        running(folder, cohort),
        standing_of(folder, cohort.index),
        faults(folder, cohort),
    )
    return {
        "cohort": cohort.index,
        "running": alive,
        "standing": asdict(standing) if standing else None,
        "faults": [asdict(fault) for fault in noted],
        "line": line(folder, cohort, alive)
        + (f", {len(noted)} infrastructure faults" if noted else ""),
    }


def _jobs(request: Request, plan: Plan, cohorts: list[Cohort], device: str) -> int:
    """Cohorts at a time: as asked, else one a core as far as memory goes. NonConforming if memory or disk do not suffice."""
    needs = estimate(plan, cohorts)
    memory, disk = resources.memory_gib(), resources.disk_gib(request.out)
    fitting = int(memory / needs.memory_gib) if cohorts else 1
    asked, gpus = request.options.jobs, max(1, len(request.options.devices))
    wanted_jobs = asked or (min(resources.cores(), max(1, fitting)) if device == "cpu" else gpus)
    jobs = min(wanted_jobs, max(1, len(cohorts)))
    if jobs > fitting:
        raise NonConforming(
            f"{jobs} cohorts at a time need about {jobs * needs.memory_gib:.1f} GiB of memory, and {memory:.1f} GiB are free."
            " Give fewer --jobs, fewer --members (the cohorts are then others), or a machine with more memory."
        )
    wanted = needs.disk_gib + jobs * needs.checkpoint_gib
    if wanted > disk:
        raise NonConforming(
            f"--out {request.out}: results and checkpoints need about {wanted:.1f} GiB of disk, and {disk:.1f} GiB are free."
            " Make room, or give another --out."
        )
    return jobs


def summary(folder: Path, plan: Plan) -> dict[str, Any]:
    """Plan id, folder, entry, ranked or why not, and every run with its status and score."""
    entry = folder / ENTRY
    report = folder / REPORT
    reasons = ranking.unranked_because(plan)
    if (folder / MANIFEST).exists():
        reasons = list(read_manifest(folder).unranked_because)
    cohorts = read_cohorts(folder)
    members = [cohort.runs for cohort in cohorts.cohorts] if cohorts else []
    return {
        "plan": plan.id,
        "suite": plan.suite,
        "folder": str(folder),
        "entry": str(entry) if entry.exists() else None,
        "report": str(report) if report.exists() else None,
        "faults": sum(len(faults) for faults in all_faults(folder).values()),
        "time": time_shares(folder, members),
        "ranked": not reasons,
        "unranked_because": reasons,
        "runs": [asdict(_shown(run)) for run in stated_runs(folder, plan)],
    }


def _shown(run: StatedRun) -> ShownRun:
    return ShownRun(run.task, run.regime, run.seed, run.status, run.score, run.failure, run.weights)
