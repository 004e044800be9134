"""`doctor`: what this machine can run, whether it simulates the recorded bits, how fast it is, and what each suite takes."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from agents.catalog import agent_class, shapes
from agents.protocol import Setup
from agents.sparsity.counting import dense_weights
from envs.fingerprint import fingerprint, reference
from envs.spec import Task
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness.machine import image, provenance, resources
from harness.options import Options
from harness.planning.cohorts import Cohort, partition
from harness.planning.estimate import Estimate, Rates, estimate
from harness.planning.plan import Plan, make_plan
from harness.planning.reader import load
from harness.planning.suite import Suite
from harness.seeding import generator

RESETS, STREAMS = 3, 8
"""Episodes and seeds whose start states are compared."""
RATE_SECONDS = 0.5
"""How long environments are stepped to find their rate."""
WARM, TIMED = 2, 4
"""Agent steps that are left out and that are timed to find the training core's rate."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "note", "wrong"]
    """`wrong`: results from here would not conform; `note`: worth knowing."""
    detail: str


@dataclass(frozen=True)
class SuiteNeed:
    """What a suite takes on this machine."""

    suite: str
    runs: int
    device: str
    memory_gib: float
    """Of one cohort; as many run at a time as there are cores and memory."""
    disk_gib: float
    hours: float
    """Wall time on this machine's CPU, all cores busy."""
    runs_here: str
    """`yes`, or what is in the way."""


@dataclass(frozen=True)
class Diagnosis:
    """Everything `doctor` found."""

    findings: tuple[Finding, ...]
    suites: tuple[SuiteNeed, ...]
    run_line: str = image.RUN_LINE
    """How to run the image with as few rights as it needs."""

    @property
    def conforms(self) -> bool:
        return all(finding.status != "wrong" for finding in self.findings)

    def document(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"conforms": self.conforms, **asdict(self)}


def diagnose(out: Path, names: list[str], full: bool = False) -> Diagnosis:
    """Look at this machine for the suites of these names; takes a minute or two. `full`: at every file of the image, too."""
    torch.set_num_threads(1)
    plans = {name: make_plan(load(name)) for name in names}
    tasks = {name: TASKS[name] for plan in plans.values() for name in plan.observations}
    findings, milliseconds = _environments(tasks)
    measured = {_typical(plan): plan for plan in plans.values()}
    gflops = {settings: _gflops(plan, settings) for settings, plan in measured.items()}
    rates = {name: Rates(gflops[_typical(plan)], milliseconds) for name, plan in plans.items()}
    needs = [_need(load(name), plan, rates[name], out) for name, plan in plans.items()]
    speed = Finding(
        "training",
        "ok",
        f"{max(rate.gflops for rate in rates.values()):.0f} GFLOP/s on one thread, float32",
    )
    return Diagnosis((*_machine(out), *_libraries(), _image(full), *findings, speed), tuple(needs))


def _machine(out: Path) -> list[Finding]:
    found = provenance.hardware()
    gpus = (
        ", ".join(found["gpus"])
        or "none visible: suites that need CUDA run here with --device cpu only"
    )
    return [
        Finding(
            "cpu", "ok", f"{found['cpu']} ({found['architecture']}), {resources.cores()} cores"
        ),
        Finding("memory", "ok", f"{resources.memory_gib():.1f} GiB free"),
        Finding("disk", "ok", f"{resources.disk_gib(out):.1f} GiB free under {out}"),
        Finding("gpu", "ok" if found["gpus"] else "note", gpus),
    ]


def _libraries() -> list[Finding]:
    """Versions beside the pins of this package, and which code it is."""
    pins = dict(
        re.findall(
            r"^([A-Za-z0-9_-]+)==([^\s;]+)$",
            "\n".join(metadata.requires("mst-bench") or []),
            re.MULTILINE,
        )
    )
    found = {name: metadata.version(name) for name in pins}
    other = [
        f"{name} is {found[name]}, pinned {pin}"
        for name, pin in pins.items()
        if not _same(found[name], pin)
    ]
    source = provenance.source()
    code = f"{source['code_sha256'][:16]}, commit {source['commit'] or 'unknown'}{' with changes' if source['dirty'] else ''}"
    return [
        Finding(
            "libraries",
            "wrong" if other else "ok",
            "; ".join(other) or f"all {len(pins)} pinned ones as pinned",
        ),
        Finding("code", "note" if source["dirty"] else "ok", code),
    ]


def _image(full: bool) -> Finding:
    """Whether this is the reference image, and unchanged."""
    content, digest = image.content(), image.content_sha256()
    if content is None or digest is None:
        return Finding("image", "note", "not the reference image: entries from here are unranked")
    called = f"{content.variant} image, content {digest[:16]}, commit {content.commit[:12]}"
    changes = image.all_changes() if full else image.sampled_changes()
    looked = (
        f"all {len(content.files)} files"
        if full
        else "ours and a sample of the files (--full: all)"
    )
    said = f"{changes[0]}, and {len(changes) - 1} more" if len(changes) > 1 else "".join(changes)
    return Finding(
        "image", "wrong" if changes else "ok", f"{called}; {said or f'{looked} as built'}"
    )


def _same(version: str, pin: str) -> bool:
    """Versions but for a local part, such as +cpu."""
    return version.partition("+")[0] == pin


def _environments(tasks: dict[str, Task]) -> tuple[list[Finding], dict[str, float]]:
    """Fingerprint, start states and rate of every task; and milliseconds of an environment step by domain."""
    findings, milliseconds = [], dict[str, float]()
    for name, task in tasks.items():
        try:
            with Worker(Options.watchdog_seconds) as worker:
                found, again = fingerprint(task, worker), fingerprint(task, worker)
                differing, starts = _starts(task, worker), RESETS * STREAMS
                milliseconds[task.domain] = _milliseconds(task, worker)
        except EnvironmentFault as fault:
            findings.append(Finding(name, "wrong", str(fault)))
            continue
        recorded = reference(name)
        bits = (
            "no fingerprint is recorded for this instruction set"
            if recorded is None
            else "fingerprint as recorded"
        )
        if recorded not in (None, found):
            bits = f"fingerprint {found[:16]} is not the recorded {str(recorded)[:16]}: another simulation than the reference"
        repeats = "" if found == again else "; the same rollout twice gives different bits"
        wrong = recorded not in (None, found) or differing < starts or bool(repeats)
        rate = f"{1000.0 / milliseconds[task.domain]:.0f} environment steps/s on one thread"
        detail = f"{bits}{repeats}; {differing} of {starts} start states differ; {rate}"
        findings.append(
            Finding(name, "wrong" if wrong else "note" if recorded is None else "ok", detail)
        )
    return findings, milliseconds


def _starts(task: Task, worker: Worker) -> int:
    """How many of the first observations of several seeds and episodes are different."""
    pool = worker.pool(task, [range(STREAMS)])
    starts = np.concatenate([pool.reset()[0] for _ in range(RESETS)])
    pool.close()
    return len(np.unique(starts, axis=0))


def _milliseconds(task: Task, worker: Worker) -> float:
    """One environment step on one thread under random actions; several environments share the way to the worker."""
    pool, script = worker.pool(task, [range(STREAMS)], threads=1), np.random.RandomState(1)
    pool.reset()
    pool.step(np.zeros((1, STREAMS, task.action)))
    begin, steps = time.perf_counter(), 0
    while time.perf_counter() - begin < RATE_SECONDS:
        pool.step(script.uniform(-1.0, 1.0, (1, STREAMS, task.action)))
        steps += 1
    pool.close()
    return (time.perf_counter() - begin) / (task.action_repeat * STREAMS * steps) * 1000.0


def _typical(plan: Plan) -> Any:
    """A plan's agent settings, its networks no larger than is needed to see how fast this machine multiplies."""
    settings = plan.agent_settings().rehearsal()
    return replace(settings.with_width(min(settings.width, 512)), depth=2)


def _gflops(plan: Plan, settings: Any) -> float:
    """This machine's rate: an agent of these settings is trained on random numbers for a few agent steps."""
    cohort = max(
        partition(plan, "cpu").cohorts, key=lambda cohort: TASKS[cohort.task].observation_size
    )
    task, members = TASKS[cohort.task], len(cohort.runs)
    setup = Setup(
        observation=task.observation_size,
        action=task.action,
        agent_steps=settings.warmup + WARM + TIMED,
        episode_steps=task.horizon // plan.budget.action_repeat,
        terminates=task.terminates,
        blocks=plan.blocks,
        regimes=[plan.regimes[run.regime] for run in cohort.runs],
        streams=lambda member, word: generator("doctor", cohort.task, member, word),
        device="cpu",
        dtype=torch.float32,
    )
    agent, draws = agent_class(plan.agent)(setup, settings), torch.Generator().manual_seed(1)
    ends = np.zeros((members, 1), dtype=bool)
    begin = 0.0
    for step in range(settings.warmup + WARM + TIMED):
        if step == settings.warmup + WARM:
            begin = time.perf_counter()
        seen = torch.randn(members, 1, task.observation_size, generator=draws)
        agent.begin(seen, agent.act(seen, explore=True))
        agent.complete(torch.rand(members, 1, generator=draws), seen, ends, ends)
        agent.update()
    seconds = (time.perf_counter() - begin) / TIMED
    kind = shapes(plan.agent)
    weights = dense_weights(kind.module_shapes(settings, task.observation_size, task.action))
    return float(members * kind.update_flops(settings, weights) / seconds / 1e9)


def _need(suite: Suite, plan: Plan, rates: Rates, out: Path) -> SuiteNeed:
    cohorts = partition(plan, "cpu").cohorts
    needs = estimate(plan, cohorts, rates)
    jobs = min(
        resources.cores(), max(1, int(resources.memory_gib() / needs.memory_gib)), len(cohorts)
    )
    missing = _missing(suite, needs, out)
    hours = _longest(plan, cohorts, rates, jobs)
    return SuiteNeed(
        suite.suite,
        len(plan.runs),
        suite.device,
        needs.memory_gib,
        needs.disk_gib,
        hours,
        missing or "yes",
    )


def _missing(suite: Suite, needs: Estimate, out: Path) -> str:
    if needs.memory_gib > resources.memory_gib():
        return "not enough memory"
    if needs.disk_gib + needs.checkpoint_gib > resources.disk_gib(out):
        return "not enough disk"
    return (
        "with --device cpu only" if suite.device == "cuda" and not torch.cuda.is_available() else ""
    )


def _longest(plan: Plan, cohorts: tuple[Cohort, ...], rates: Rates, jobs: int) -> float:
    """Hours until the last of `jobs` processes is done, cohorts taken in order."""
    busy = [0.0] * jobs
    for cohort in cohorts:
        first = busy.index(min(busy))
        busy[first] += estimate(plan, [cohort], rates).core_hours
    return max(busy)
