"""The unit of work: one cohort of a plan folder, carried out idempotently. Every executor ends up here."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from envs.worker import EnvironmentFault
from harness.errors import Incomplete, Interrupted, UserError
from harness.folder import Folder
from harness.machine import provenance
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.training import faults
from harness.training.checkpoint import Checkpoints
from harness.training.lease import lease
from harness.training.progress import Writer


def finished(folder: Path, cohort: Cohort) -> bool:
    """Whether every run of the cohort has its result."""
    return all(Folder(folder).run(run).result.exists() for run in cohort.runs)


def run_cohort(folder: Path, plan: Plan, cohort: Cohort, options: Options) -> None:
    """Begin a cohort, go on with it, or do nothing if its results are there.

    Raises Interrupted after a signal and Incomplete after `max_wall`, both with everything saved; Incomplete also if another
    process has the cohort, or if the environments broke once more after `retries` restarts.
    """
    place = Folder(folder).cohort(cohort.index)
    place.path.mkdir(parents=True, exist_ok=True)
    with lease(place.lease), _stop_on_signal() as asked:
        if finished(folder, cohort):
            return
        stop = _stop(asked, options.max_wall)
        for _ in range(options.retries + 1):
            fault = _attempt(folder, plan, cohort, options, stop)
            if fault is None:
                return
        raise Incomplete(
            f"{fault}; tried {options.retries} times more in vain. What was saved is whole."
        )


def _attempt(
    folder: Path, plan: Plan, cohort: Cohort, options: Options, stop: Callable[[], UserError | None]
) -> str | None:
    """Train from the last checkpoint to the results; returns the fault that broke it off, noted, if there was one.

    In words: the exception would keep the whole training alive beside the next one.
    """
    import torch

    from harness.training.loop import Training
    from harness.training.precision import prepare

    torch.set_num_threads(1)
    prepare(plan.precision, options.device, options.deterministic)
    place = Folder(folder).cohort(cohort.index)
    checkpoints = Checkpoints(place.checkpoint, len(cohort.runs), provenance.identity())
    found, drifted = checkpoints.read(options.allow_drift) or (None, False)
    report = Writer(
        place.progress,
        plan.budget.agent_steps,
        plan.agent_settings().warmup,
        _seconds(plan, cohort),
    )
    training = Training(
        plan, cohort, folder, options.device, options.watchdog_seconds, record=not options.eager
    )
    training.drifted = drifted
    try:
        with training:
            trace = place.trace if options.profile else None
            training.run(checkpoints, found, options.checkpoint_seconds, report, stop, trace)
    except EnvironmentFault as fault:
        faults.note(folder, cohort, training.step, str(fault))
        print(f"agent step {training.step}: {fault}", file=sys.stderr)
        return str(fault)
    checkpoints.clear()
    return None


def _seconds(plan: Plan, cohort: Cohort) -> float:
    """Estimate for the whole cohort on one core."""
    from harness.planning.estimate import estimate

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
