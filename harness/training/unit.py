"""The unit of work: one cohort of a plan folder, carried out idempotently.

Every executor ends up here: `inline` calls `run_cohort`, the others start `mst-bench run-cohort`.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envs.worker import EnvironmentFault
from harness.errors import RESUME, Incomplete, Interrupted, RetriesExhausted, UserError
from harness.folder import Folder
from harness.machine import provenance
from harness.options import Options
from harness.planning.cohorts import Cohort, Cohorts
from harness.planning.plan import Plan
from harness.training import faults
from harness.training.checkpoint import Checkpoints
from harness.training.ending import recorded
from harness.training.lease import lease
from harness.training.progress import Writer

if TYPE_CHECKING:
    from harness.training.loop import Stop


def finished(folder: Path, cohort: Cohort) -> bool:
    """Whether every run of the cohort has its result."""
    return all(Folder(folder).run(run).result.exists() for run in cohort.runs)


def open_of(folder: Path, cohorts: Cohorts) -> list[Cohort]:
    """Cohorts with runs that have no result; the others keep no checkpoint."""
    open_cohorts = list[Cohort]()
    for cohort in cohorts.cohorts:
        if finished(folder, cohort):
            _clear_leftovers(folder, cohort)
        else:
            open_cohorts.append(cohort)
    return open_cohorts


def _clear_leftovers(folder: Path, cohort: Cohort) -> None:
    """Remove the checkpoint of a finished cohort that was killed before it did so itself.

    Whoever holds the cohort does it instead.
    """
    cohort_folder = Folder(folder).cohort(cohort.index)
    if any(cohort_folder.checkpoint.glob("*")):
        with suppress(Incomplete), lease(cohort_folder.lease):
            _clear_checkpoint(folder, cohort)


def _clear_checkpoint(folder: Path, cohort: Cohort) -> None:
    """Remove the checkpoint, if there is one, of a cohort that is held and finished."""
    for path in Folder(folder).cohort(cohort.index).checkpoint.glob("*"):
        path.unlink()


def run_cohort(folder: Path, plan: Plan, cohort: Cohort, options: Options) -> None:
    """One attempt at a cohort: see `attempt` and `train` for what is raised."""
    with attempt(folder, cohort.index):
        train(folder, plan, cohort, options)


def attempt(folder: Path, index: int) -> AbstractContextManager[None]:
    """Hold a cohort, and record how the block ends in its ending.json.

    Raises Incomplete if another process has the cohort.
    """
    return recorded(Folder(folder).cohort(index))


def train(folder: Path, plan: Plan, cohort: Cohort, options: Options) -> None:
    """Begin a cohort, resume it, or do nothing if its results are there. To be held by `attempt`.

    Raises Interrupted after a signal and Incomplete after `max_wall`, both with everything saved;
    RetriesExhausted if the environments broke once more after `retries` restarts.
    """
    with _stop_on_signal() as signalled:
        if finished(folder, cohort):
            _clear_checkpoint(folder, cohort)
            return

        # A fault is retried here; any other error ends the attempt.
        stop = _stop(signalled, options.max_wall)
        for _ in range(options.retries + 1):
            fault = _train_once(folder, plan, cohort, options, stop)
            if fault is None:
                return
        raise RetriesExhausted(
            f"{fault}; gave up after {options.retries} retries. What was saved is whole.", RESUME
        )


def _train_once(
    folder: Path, plan: Plan, cohort: Cohort, options: Options, stop: Stop
) -> str | None:
    """Train from the last checkpoint to the results; returns the recorded fault that ended it.

    Returns the message, not the exception: its traceback would keep this Training in memory during
    the retry.
    """
    import torch

    from harness.training.loop import Training
    from harness.training.precision import prepare

    torch.set_num_threads(1)
    prepare(plan.precision, options.device, options.deterministic)

    # What was saved, and the file that says how far the cohort is.
    cohort_folder = Folder(folder).cohort(cohort.index)
    checkpoints = Checkpoints(cohort_folder.checkpoint, len(cohort.runs), provenance.identity())
    checkpoint, drifted = checkpoints.read(options.allow_drift) or (None, False)
    progress = Writer(
        cohort_folder.progress,
        plan.budget.agent_steps,
        plan.agent_settings().learning_starts,
        _seconds(plan, cohort),
    )
    trace = cohort_folder.trace if options.profile else None

    # All members, on one device.
    training = Training(
        plan, cohort, folder, options.device, options.watchdog_seconds, record=not options.eager
    )
    training.drifted = drifted

    # Records are cut to the checkpoint; results that a killed process left must not outlive them.
    for run in cohort.runs:
        Folder(folder).run(run).result.unlink(missing_ok=True)

    # A fault of the environments ends this Training, not the cohort.
    try:
        with training:
            training.run(checkpoints, checkpoint, options.checkpoint_seconds, progress, stop, trace)
    except EnvironmentFault as fault:
        faults.record(folder, cohort, training.step, str(fault))
        print(f"agent step {training.step}: {fault}", file=sys.stderr)
        return str(fault)

    checkpoints.clear()
    return None


def _seconds(plan: Plan, cohort: Cohort) -> float:
    """Estimate for the whole cohort on one core."""
    from harness.planning.estimate import estimate

    return estimate(plan, [cohort]).core_hours * 3600.0


def _stop(signalled: Callable[[], bool], max_wall: float | None) -> Stop:
    """Stops once a signal came or `max_wall` seconds are over."""
    deadline = math.inf if max_wall is None else time.monotonic() + max_wall

    def stop() -> UserError | None:
        if signalled():
            return Interrupted("stopped; everything is saved.", RESUME)
        if time.monotonic() > deadline:
            return Incomplete("--max-wall is over; everything is saved.", RESUME)
        return None

    return stop


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """SIGINT or SIGTERM asks to stop after the current step; a second SIGINT acts as usual.

    SIGTERM may come more than once: Linux sends it for each thread of a dying parent in turn.
    """
    signalled = False

    # The first signal asks; a second SIGINT gets the handler of before, and interrupts.
    def ask(number: int, frame: object) -> None:
        nonlocal signalled
        signalled = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, before[signal.SIGINT])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: signalled
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
