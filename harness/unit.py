"""The unit of work: one cohort of a plan folder, carried out idempotently. Every executor ends up here."""

from __future__ import annotations

import fcntl
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from envs.worker import PATIENCE, EnvironmentFault
from harness import faults, provenance
from harness.checkpoint import Checkpoints
from harness.errors import Incomplete, Interrupted, UserError
from harness.partition import Cohort
from harness.plan import Plan
from harness.progress import Writer


def finished(folder: Path, cohort: Cohort) -> bool:
    """Whether every run of the cohort has its result."""
    return all((folder / "runs" / run.name / "result.json").exists() for run in cohort.runs)


@dataclass(frozen=True)
class Options:
    """How cohorts are carried out; none of it changes a number."""

    device: str = "cpu"
    """Torch device."""
    jobs: int | None = None
    """Cohorts at a time, or None: as many as cores and memory allow."""
    checkpoint_seconds: float = 300.0
    """Seconds between checkpoints."""
    max_wall: float | None = None
    """Seconds after which everything is saved and left incomplete, or None."""
    allow_drift: bool = False
    """Go on from a checkpoint that other code or libraries wrote; such entries are unranked."""
    retries: int = 3
    """Infrastructure faults after which a cohort goes on from its last checkpoint, before it is left incomplete."""
    watchdog_seconds: float = PATIENCE
    """Seconds without an answer from the environments after which they count as hung."""
    deterministic: bool = False
    """On a GPU, only algorithms that give the same bits each time; on a CPU nothing else is ever used."""
    eager: bool = False
    """On a GPU, launch operation by operation instead of playing recorded steps."""
    profile: bool = False
    """Write a trace of some agent steps, cohorts/<i>/trace.json."""
    image: str = "mst-bench"
    """Image of the containers, where cohorts run in containers."""
    devices: tuple[str, ...] = ()
    """GPUs, by index or UUID, that containers are spread over; none: each may use all."""
    memory_gib: float | None = None
    """Limit of a container's memory, or None: an equal share of what is free."""

    def arguments(self, max_wall: float | None) -> list[str]:
        """Options of `run-cohort` that say the same, with so much wall time left."""
        told = ["--device", self.device, "--checkpoint-seconds", str(self.checkpoint_seconds), "--retries", str(self.retries)]
        told += ["--watchdog-seconds", str(self.watchdog_seconds)]
        told += ["--max-wall", str(max_wall)] if max_wall is not None else []
        told += ["--profile"] if self.profile else []
        told += ["--deterministic"] if self.deterministic else []
        told += ["--eager"] if self.eager else []
        return [*told, "--allow-drift"] if self.allow_drift else told


def run_cohort(folder: Path, plan: Plan, cohort: Cohort, options: Options) -> None:
    """Begin a cohort, go on with it, or do nothing if its results are there.

    Raises Interrupted after a signal and Incomplete after `max_wall`, both with everything saved; Incomplete also if another
    process has the cohort, or if the environments broke once more after `retries` restarts.
    """
    place = folder / "cohorts" / str(cohort.index)
    place.mkdir(parents=True, exist_ok=True)
    with _lease(place / "lease"), _stop_on_signal() as asked:
        if finished(folder, cohort):
            return
        stop = _stop(asked, options.max_wall)
        for _ in range(options.retries + 1):
            fault = _attempt(folder, plan, cohort, options, stop)
            if fault is None:
                return
        raise Incomplete(f"{fault}; tried {options.retries} times more in vain. What was saved is whole.")


def _attempt(folder: Path, plan: Plan, cohort: Cohort, options: Options, stop: Callable[[], UserError | None]) -> str | None:
    """Train from the last checkpoint to the results; returns the fault that broke it off, noted, if there was one.

    In words: the exception would keep the whole training alive beside the next one.
    """
    import torch

    from harness.cohort import Training
    from harness.precision import prepare

    torch.set_num_threads(1)
    prepare(plan.precision, options.device, options.deterministic)
    place = folder / "cohorts" / str(cohort.index)
    checkpoints = Checkpoints(place / "checkpoint", len(cohort.runs), provenance.identity())
    found, drifted = checkpoints.read(options.allow_drift) or (None, False)
    report = Writer(place / "progress.json", plan.budget.agent_steps, plan.agent_settings().warmup, _seconds(plan, cohort))
    training = Training(plan, cohort, folder, options.device, options.watchdog_seconds, record=not options.eager)
    training.drifted = drifted
    try:
        with training:
            trace = place / "trace.json" if options.profile else None
            training.run(checkpoints, found, options.checkpoint_seconds, report, stop, trace)
    except EnvironmentFault as fault:
        faults.note(folder, cohort, training.step, str(fault))
        print(f"agent step {training.step}: {fault}", file=sys.stderr)
        return str(fault)
    checkpoints.clear()
    return None


def _seconds(plan: Plan, cohort: Cohort) -> float:
    """Estimate for the whole cohort on one core."""
    from harness.estimate import estimate

    return estimate(plan, [cohort]).core_hours * 3600.0


def _stop(asked: Callable[[], bool], max_wall: float | None) -> Callable[[], UserError | None]:
    """The error to stop with once a signal came or the wall time is over."""
    deadline = math.inf if max_wall is None else time.monotonic() + max_wall

    def stop() -> UserError | None:
        if asked():
            return Interrupted("stopped; everything is saved. The same command goes on.")
        if time.monotonic() > deadline:
            return Incomplete("--max-wall is over; everything is saved. The same command goes on.")
        return None

    return stop


def running(folder: Path, cohort: Cohort) -> bool:
    """Whether a process is carrying the cohort out now."""
    try:
        with open(folder / "cohorts" / str(cohort.index) / "lease") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def _lease(path: Path) -> Iterator[None]:
    """Hold a cohort: the lock goes with the process, however it ends."""
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Incomplete(f"{path}: another process is carrying out this cohort; wait for it or stop it.") from None
        yield


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """SIGINT or SIGTERM asks to stop after the current step; a second SIGINT acts as it normally does.

    SIGTERM may come more than once: Linux sends it for each thread of a dying parent in turn.
    """
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, before[signal.SIGINT])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
