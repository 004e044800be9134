"""`doctor`: whether this machine conforms, how fast it is, and what each suite needs on it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from envs.fingerprint import fingerprint, reference
from envs.spec import Task
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness.machine import image, provenance, resources
from harness.options import Options
from harness.planning.cohorts import Cohort, partition
from harness.planning.estimate import Estimate, Rates, estimate
from harness.planning.making import make_plan
from harness.planning.plan import Plan
from harness.planning.reader import load
from harness.planning.suite import Suite
from harness.training.rates import environment_milliseconds, learning_rate

RESETS, STREAMS = 3, 8
"""Episodes and seeds whose start states are compared."""

Status = Literal["ok", "note", "wrong"]
"""`wrong`: results from here would not conform; `note`: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    status: Status
    detail: str


@dataclass(frozen=True)
class SuiteNeed:
    """The needs of a suite on this machine."""

    suite: str
    runs: int
    device: str
    memory_gib: float
    """Of one cohort; as many run at a time as cores and memory allow."""
    disk_gib: float
    hours: float
    """Wall time on this machine's CPU with all cores busy."""
    runs_here: str
    """`yes`, or the reason why not."""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that `doctor` reports."""

    findings: tuple[Finding, ...]
    suites: tuple[SuiteNeed, ...]
    run_line: str = image.RUN_LINE
    """The command that runs the image with as few rights as it needs."""

    @property
    def conforms(self) -> bool:
        return all(finding.status != "wrong" for finding in self.findings)

    def document(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"conforms": self.conforms, **asdict(self)}


def diagnose(out: Path, names: list[str], full: bool = False) -> Diagnosis:
    """Checks this machine for the suites of these names; takes a minute or two.

    `full` checks every file of the image, too.
    """
    torch.set_num_threads(1)
    plans = {name: make_plan(load(name)) for name in names}

    # Simulation: every task of the suites.
    tasks = dict[str, Task]()
    for plan in plans.values():
        tasks |= {name: TASKS[name] for name in plan.observations}
    findings, milliseconds = _environments(tasks)

    # Training: once for each size of networks, since several suites share it.
    sizes = {plan.agent_settings().rehearsal(): plan for plan in plans.values()}
    learning = {settings: learning_rate(plan, settings) for settings, plan in sizes.items()}
    fastest = max(rate.gflops for rate in learning.values())
    speed = f"{fastest:.0f} GFLOP/s on one thread, float32"

    # What each suite needs, at these rates.
    needs = []
    for name, plan in plans.items():
        rates = Rates(learning[plan.agent_settings().rehearsal()].slowness, milliseconds)
        needs.append(_need(load(name).suite, plan, rates, out))

    machine = (*_machine(out), *_libraries(), _image(full))
    return Diagnosis((*machine, *findings, Finding("training", "ok", speed)), tuple(needs))


# -- the machine --


def _machine(out: Path) -> list[Finding]:
    hardware = provenance.hardware()
    cpu = f"{hardware['cpu']} ({hardware['architecture']}), {resources.cores()} cores"
    if hardware["gpus"]:
        gpu = Finding("gpu", "ok", ", ".join(hardware["gpus"]))
    else:
        without = "none visible: suites that need CUDA run here with --device cpu only"
        gpu = Finding("gpu", "note", without)

    return [
        Finding("cpu", "ok", cpu),
        Finding("memory", "ok", f"{resources.memory_gib():.1f} GiB free"),
        Finding("disk", "ok", f"{resources.disk_gib(out):.1f} GiB free under {out}"),
        gpu,
    ]


def _libraries() -> list[Finding]:
    """Compares versions with the pins of this package, and names the code."""
    # Versions that are not as pinned.
    requirements = "\n".join(metadata.requires("mst-bench") or [])
    pins = dict(re.findall(r"^([A-Za-z0-9_-]+)==([^\s;]+)$", requirements, re.MULTILINE))
    differing = []
    for name, pin in pins.items():
        version = metadata.version(name)
        if version.partition("+")[0] != pin:  # a local part, such as +cpu, does not count
            differing.append(f"{name} is {version}, pinned {pin}")
    if differing:
        libraries = Finding("libraries", "wrong", "; ".join(differing))
    else:
        libraries = Finding("libraries", "ok", f"all {len(pins)} pinned ones as pinned")

    # Our own code.
    source = provenance.source()
    code = f"{source['code_sha256'][:16]}, commit {source['commit'] or 'unknown'}"
    if source["dirty"]:
        return [libraries, Finding("code", "note", f"{code} with changes")]
    return [libraries, Finding("code", "ok", code)]


def _image(full: bool) -> Finding:
    """Whether this is the reference image, and unchanged."""
    content = image.content()
    digest = image.content_sha256()
    if content is None or digest is None:
        return Finding("image", "note", "not the reference image: entries from here are unranked")

    label = f"{content.variant} image, content {digest[:16]}, commit {content.commit[:12]}"
    changes = image.all_changes() if full else image.sampled_changes()
    if len(changes) > 1:
        return Finding("image", "wrong", f"{label}; {changes[0]}, and {len(changes) - 1} more")
    if changes:
        return Finding("image", "wrong", f"{label}; {changes[0]}")
    if full:
        return Finding("image", "ok", f"{label}; all {len(content.files)} files as built")
    return Finding("image", "ok", f"{label}; ours and a sample of the files (--full: all) as built")


# -- simulation --


def _environments(tasks: dict[str, Task]) -> tuple[list[Finding], dict[str, float]]:
    """A finding for every task, and milliseconds of an environment step by domain."""
    findings = list[Finding]()
    milliseconds = dict[str, float]()
    for name, task in tasks.items():
        # A worker of its own for each task: one that breaks does not spoil the others.
        try:
            with Worker(Options.watchdog_seconds) as worker:
                prints = (fingerprint(task, worker), fingerprint(task, worker))
                differing = _starts(task, worker)
                milliseconds[task.domain] = environment_milliseconds(task, worker)
        except EnvironmentFault as fault:
            findings.append(Finding(name, "wrong", str(fault)))
            continue
        findings.append(_task_finding(name, prints, differing, milliseconds[task.domain]))
    return findings, milliseconds


def _task_finding(
    name: str, prints: tuple[str, str], differing: int, milliseconds: float
) -> Finding:
    """The finding of a task, from its fingerprint, taken twice, and its start states."""
    # The bits of a scripted rollout: as recorded, and the same twice.
    status: Status = "ok"
    recorded = reference(name)
    bits = "fingerprint as recorded"
    if recorded is None:
        status = "note"
        bits = "no fingerprint is recorded for this instruction set"
    elif recorded != prints[0]:
        status = "wrong"
        bits = (
            f"fingerprint {prints[0][:16]} is not the recorded {recorded[:16]}:"
            " another simulation than the reference"
        )
    if prints[0] != prints[1]:
        status = "wrong"
        bits += "; the same rollout twice gives different bits"

    # Seeds and episodes must start in different states.
    if differing < RESETS * STREAMS:
        status = "wrong"

    starts = f"{differing} of {RESETS * STREAMS} start states differ"
    rate = f"{1000.0 / milliseconds:.0f} environment steps/s on one thread"
    return Finding(name, status, f"{bits}; {starts}; {rate}")


def _starts(task: Task, worker: Worker) -> int:
    """Number of different first observations over several seeds and episodes."""
    pool = worker.pool(task, [range(STREAMS)])
    starts = np.concatenate([pool.reset()[0] for _ in range(RESETS)])
    pool.close()
    return len(np.unique(starts, axis=0))


# -- needs --


def _need(suite: Suite, plan: Plan, rates: Rates, out: Path) -> SuiteNeed:
    cohorts = partition(plan, "cpu").cohorts
    needs = estimate(plan, cohorts, rates)

    # As many cohorts at a time as cores and memory allow.
    fitting = max(1, int(resources.memory_gib() / needs.memory_gib))
    jobs = min(resources.cores(), fitting, len(cohorts))

    return SuiteNeed(
        suite=suite.suite,
        runs=len(plan.runs),
        device=suite.device,
        memory_gib=needs.memory_gib,
        disk_gib=needs.disk_gib,
        hours=_longest(plan, cohorts, rates, jobs),
        runs_here=_missing(suite, needs, out) or "yes",
    )


def _missing(suite: Suite, needs: Estimate, out: Path) -> str:
    """The reason why a suite does not run here as it is, or an empty string."""
    if needs.memory_gib > resources.memory_gib():
        return "not enough memory"
    if needs.disk_gib + needs.checkpoint_gib > resources.disk_gib(out):
        return "not enough disk"
    if suite.device == "cuda" and not torch.cuda.is_available():
        return "with --device cpu only"
    return ""


def _longest(plan: Plan, cohorts: tuple[Cohort, ...], rates: Rates, jobs: int) -> float:
    """Hours until the last of `jobs` processes is done, cohorts taken in order."""
    busy = [0.0] * jobs
    for cohort in cohorts:
        first = busy.index(min(busy))
        busy[first] += estimate(plan, [cohort], rates).core_hours
    return max(busy)
