"""The life of a run: suite, plan, cohorts, executor, entry, verdict, table."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.lazy import load
from envs.worker import PATIENCE
from harness import machine, provenance
from harness import suite as suites
from harness.entry import ENTRY, MANIFEST, manifest, read_manifest, stated_runs, write_entry
from harness.errors import Incomplete, NonConforming
from harness.estimate import estimate
from harness.executors import EXECUTORS
from harness.faults import all_faults, faults
from harness.partition import Cohort, frozen_cohorts, read_cohorts
from harness.plan import Plan, make_plan, write_plan
from harness.progress import line, standing_of
from harness.records import write_json
from harness.report import REPORT, Refused, write_report
from harness.unit import Options, finished, running
from leaderboard.keys import SigningKey


@dataclass(frozen=True)
class Request:
    """What `run` was asked for."""

    suite: str
    out: Path
    overrides: tuple[str, ...] = ()
    budget_scale: float = 1.0
    device: str = "auto"
    executor: str = "local"
    jobs: int | None = None
    members: int | None = None
    checkpoint_seconds: float = 300.0
    max_wall: float | None = None
    allow_drift: bool = False
    retries: int = 3
    watchdog_seconds: float = PATIENCE


def plan_of(request: Request) -> tuple[suites.Suite, Plan]:
    """The suite and its plan, with overrides and budget scale applied and written down as changes."""
    suite = suites.load(request.suite, request.overrides)
    changes = tuple(f"--set {override}" for override in request.overrides)
    if request.suite not in suites.shipped():
        changes = (*changes, "own suite file")
    if request.budget_scale != 1.0:
        repeat = suite.action_repeat
        steps = max(repeat, int(suite.environment_steps * request.budget_scale) // repeat * repeat)
        suite = suites.load(request.suite, (*request.overrides, f"environment_steps={steps}"))
        changes = (*changes, f"--budget-scale {request.budget_scale:g}")
    return suite, make_plan(suite, changes)


def choose_device(wanted: str, need: str, suite: str) -> str:
    """The torch device: `auto` takes a GPU where there is one; NonConforming if what is needed is not there."""
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda" if wanted == "auto" else wanted
    if wanted == "auto" and need == "any":
        return "cpu"
    asked = f"suite {suite} needs" if wanted == "auto" else f"--device {wanted} asks for"
    raise NonConforming(
        f"{asked} a CUDA device, and none is visible. In a container add `--gpus all`; to run on the CPU all the same, add"
        " `--device cpu` (slow: `mst-bench plan` tells how slow)."
    )


def execute(request: Request, key: SigningKey) -> dict[str, Any]:
    """Carry a request out; returns the one document that `--json` prints. Raises Incomplete if runs are missing at the end."""
    started = time.time()
    suite, plan = plan_of(request)
    device = choose_device(request.device, suite.device, suite.suite)
    folder = write_plan(plan, request.out)
    cohorts = frozen_cohorts(folder, plan, device.partition(":")[0], request.members)
    open_cohorts = [cohort for cohort in cohorts.cohorts if not finished(folder, cohort)]
    wrong: list[str] = []
    executing = bool(open_cohorts) or not (folder / MANIFEST).exists()
    if executing:
        jobs = _jobs(request, plan, open_cohorts, device)
        limits = (request.checkpoint_seconds, request.max_wall, request.allow_drift, request.retries, request.watchdog_seconds)
        options = Options(device, jobs, *limits)
        wrong = load(EXECUTORS[request.executor][0])(folder, plan, open_cohorts, options)
        write_json(folder / MANIFEST, asdict(manifest(folder, plan, started)))
    entry = folder / ENTRY
    if executing or not entry.exists() or not key.one_use:  # a one-use key never replaces a signature
        write_entry(folder, plan, key)
        with suppress(Refused):  # whoever asked for the run verifies the entry next, and hears of it
            write_report(folder)
    document = summary(folder, plan)
    if wrong or any(run["status"] == "missing" for run in document["runs"]):
        raise Incomplete("; ".join(wrong or ["some runs have no result"]) + ". The same command goes on.")
    return document


def unfinished(folder: Path) -> list[dict[str, Any]]:
    """Cohorts that have no results yet: where each is, whether a process has it, and its faults."""
    cohorts = read_cohorts(folder)
    return [_place(folder, cohort) for cohort in (cohorts.cohorts if cohorts else ()) if not finished(folder, cohort)]


def _place(folder: Path, cohort: Cohort) -> dict[str, Any]:
    alive, standing, noted = running(folder, cohort), standing_of(folder, cohort.index), faults(folder, cohort)
    return {
        "cohort": cohort.index,
        "running": alive,
        "standing": asdict(standing) if standing else None,
        "faults": [asdict(fault) for fault in noted],
        "line": line(folder, cohort, alive) + (f", {len(noted)} infrastructure faults" if noted else ""),
    }


def _jobs(request: Request, plan: Plan, cohorts: list[Cohort], device: str) -> int:
    """Cohorts at a time: as asked, else one a core as far as memory goes. NonConforming if memory or disk do not suffice."""
    needs = estimate(plan, cohorts)
    memory, disk = machine.memory_gib(), machine.disk_gib(request.out)
    fitting = int(memory / needs.memory_gib) if cohorts else 1
    wanted_jobs = request.jobs or (min(machine.cores(), max(1, fitting)) if device == "cpu" else 1)
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
    runs = stated_runs(folder, plan)
    made, drawn = folder / MANIFEST, folder / REPORT
    reasons = list(read_manifest(folder).unranked_because) if made.exists() else provenance.unranked_because(plan)
    shown = ("task", "regime", "seed", "status", "score", "failure", "weights")
    entry = folder / ENTRY
    return {
        "plan": plan.id,
        "suite": plan.suite,
        "folder": str(folder),
        "entry": str(entry) if entry.exists() else None,
        "report": str(drawn) if drawn.exists() else None,
        "faults": sum(len(noted) for noted in all_faults(folder).values()),
        "ranked": not reasons,
        "unranked_because": reasons,
        "runs": [{name: run[name] for name in shown} for run in runs],
    }
