"""The unit of work: one cohort of a plan folder, carried out idempotently.

Every executor ends up here: `inline` calls `run_cohort`, the others start `mst-bench run-cohort`.
"""

from __future__ import annotations

import math
import sys
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

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
from harness.training.interruption import Interruption, at_once, nothing
from harness.training.lease import lease
from harness.training.precision import prepare
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

    Raises Interrupted after a signal and Incomplete after `max_wall`, both with everything saved,
    and Interrupted with what is lost after a second Ctrl-C; RetriesExhausted if the environments
    broke once more after `retries` restarts.
    """
    with Interruption() as interruption:
        if finished(folder, cohort):
            _clear_checkpoint(folder, cohort)
            return

        # A fault is retried here; any other error ends the attempt.
        stop = _stop(interruption, options.max_wall)
        for _ in range(options.retries + 1):
            fault = _train_once(folder, plan, cohort, options, stop, interruption)
            interruption.unsaved = nothing
            if fault is None:
                break
        else:
            raise RetriesExhausted(
                f"{fault}; gave up after {options.retries} retries. What was saved is whole.",
                RESUME,
            )

        # Asked while the results were being written: no other cohort is begun.
        if interruption.asked:
            raise Interrupted("stopped; this cohort had just finished.", RESUME)


def _train_once(
    folder: Path,
    plan: Plan,
    cohort: Cohort,
    options: Options,
    stop: Stop,
    interruption: Interruption,
) -> str | None:
    """Train from the last checkpoint to the results; returns the recorded fault that ended it.

    The message, not the exception: a traceback would keep this Training in memory meanwhile.
    """
    from harness.training.loop import Training

    torch.set_num_threads(1)
    prepare(plan.precision, options.device, options.deterministic)

    # What was saved
    cohort_folder = Folder(folder).cohort(cohort.index)
    checkpoints = Checkpoints(cohort_folder.checkpoint, len(cohort.runs), provenance.identity())
    checkpoint, drifted = checkpoints.read(options.allow_drift) or (None, False)
    trace = cohort_folder.trace if options.profile else None

    # All members, on one device.
    training = Training(
        plan, cohort, folder, options.device, options.watchdog_seconds, record=not options.eager
    )
    training.drifted = drifted
    training.step = checkpoints.step
    interruption.unsaved = lambda: training.step - checkpoints.step

    _remove_results(folder, cohort)

    # A fault of the environments ends this Training, not the cohort
    try:
        with training:
            report = _writer(folder, plan, cohort)
            training.run(checkpoints, checkpoint, _seconds(options), report, stop, trace)
    except EnvironmentFault as fault:
        faults.record(folder, cohort, training.step, str(fault))
        print(f"agent step {training.step}: {fault}", file=sys.stderr)
        return str(fault)
    except KeyboardInterrupt:
        raise at_once(checkpoints.step, interruption.unsaved(), plan.budget.agent_steps) from None

    checkpoints.clear()
    return None


def _seconds(options: Options) -> float:
    """Seconds between checkpoints. A GPU waits for them, and its cohorts are large."""
    if options.checkpoint_seconds is not None:
        return options.checkpoint_seconds
    return 900.0 if options.device.startswith("cuda") else 300.0


def _remove_results(folder: Path, cohort: Cohort) -> None:
    """Results that a killed process left must not outlive their records."""
    for run in cohort.runs:
        Folder(folder).run(run).result.unlink(missing_ok=True)


def _writer(folder: Path, plan: Plan, cohort: Cohort) -> Writer:
    """Writes how far a cohort is, with an estimate for all of it on one core."""
    from harness.planning.estimate import estimate, final_seconds

    return Writer(
        Folder(folder).cohort(cohort.index).progress,
        plan.budget.agent_steps,
        plan.agent_settings().learning_starts,
        estimate(plan, [cohort]).core_hours * 3600.0,
        sum(final_seconds(plan, run) for run in cohort.runs),
    )


def _stop(interruption: Interruption, max_wall: float | None) -> Stop:
    """Stops once a signal came or `max_wall` seconds are over."""
    deadline = math.inf if max_wall is None else time.monotonic() + max_wall

    def stop() -> UserError | None:
        if interruption.asked:
            return Interrupted("stopped; everything is saved.", RESUME)
        if time.monotonic() > deadline:
            return Incomplete("--max-wall is over; everything is saved.", RESUME)
        return None

    return stop
