"""The unit of work: one cohort of a plan folder, carried out idempotently.

Every executor ends up here: `inline` calls `run_cohort`, the others start `mst-bench run-cohort`.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
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
from harness.training.held import Held
from harness.training.interruption import Interruption, at_once, nothing
from harness.training.lease import lease
from harness.training.precision import prepare
from harness.training.progress import Writer

if TYPE_CHECKING:
    from harness.training.loop import Report, Stop


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
    left = [*cohort_folder.checkpoint.glob("*")]
    for path in _run_folders(folder, cohort):
        left += path.glob(".lease-*")
    if left:
        with suppress(Incomplete), lease(cohort_folder.leases, wait=False) as held:
            held.enter(_run_folders(folder, cohort))
            _clear_checkpoint(folder, cohort, held)


def _clear_checkpoint(folder: Path, cohort: Cohort, held: Held) -> None:
    """Remove the checkpoint, if there is one, of a finished cohort."""
    for path in Folder(folder).cohort(cohort.index).checkpoint.glob("*"):
        held.remove(path)


def _run_folders(folder: Path, cohort: Cohort) -> list[Path]:
    return [Folder(folder).run(run).path for run in cohort.runs]


def run_cohort(folder: Path, plan: Plan, cohort: Cohort, options: Options) -> None:
    """One attempt at a cohort: see `attempt` and `train` for what is raised."""
    with attempt(folder, cohort.index, options) as held:
        train(folder, plan, cohort, options, held)


def attempt(folder: Path, index: int, options: Options) -> AbstractContextManager[Held]:
    """Hold a cohort, and record how the block ends in its ending.json.

    Raises Incomplete if another process has the cohort, or took it over meanwhile.
    """
    return recorded(Folder(folder).cohort(index), options.lease_seconds)


def train(folder: Path, plan: Plan, cohort: Cohort, options: Options, held: Held) -> None:
    """Begin a cohort, resume it, or do nothing if its results are there. `held` by `attempt`.

    Raises Interrupted after a signal and Incomplete after `max_wall`, both with everything saved,
    and Interrupted with what is lost after a second Ctrl-C; RetriesExhausted if the environments
    broke once more after `retries` restarts.
    """
    with Interruption() as interruption:
        held.enter(_run_folders(folder, cohort))
        if finished(folder, cohort):
            _clear_checkpoint(folder, cohort, held)
            return

        torch.set_num_threads(1)
        prepare(plan.precision, options.device, options.deterministic)

        # A fault is retried here; any other error ends the attempt.
        stop = _stop(interruption, options.max_wall, held)
        for _ in range(options.retries + 1):
            fault = _train_once(folder, plan, cohort, options, stop, interruption, held)
            interruption.unsaved = nothing
            if fault is None:
                break
        else:
            raise RetriesExhausted(
                f"{fault}; {faults.gave_up(options.retries)}. What was saved is whole.",
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
    held: Held,
) -> str | None:
    """Train from the last checkpoint to the results; returns the recorded fault that ended it.

    The message, not the exception: a traceback would keep this Training in memory meanwhile.
    """
    from harness.training.loop import Training

    # What was saved
    cohort_folder = Folder(folder).cohort(cohort.index)
    identity = provenance.identity()
    checkpoints = Checkpoints(cohort_folder.checkpoint, len(cohort.runs), identity, held)
    checkpoint, drifted = checkpoints.read(options.allow_drift) or (None, False)
    trace = cohort_folder.trace if options.profile else None

    # All members, on one device.
    patience = options.watchdog_seconds
    training = Training(
        plan, cohort, folder, options.device, patience, held, record=not options.eager
    )
    training.drifted = drifted
    training.step = checkpoints.step
    interruption.unsaved = lambda: training.step - checkpoints.step

    _remove_results(folder, cohort, held)

    # A fault of the environments, or of the file system, ends this Training, not the cohort
    try:
        with training:
            report = _writer(folder, plan, cohort, held)
            training.run(checkpoints, checkpoint, _seconds(options), report, stop, trace)
    except EnvironmentFault as fault:
        return _fault(held, folder, cohort, training.step, str(fault))
    except (Interrupted, Incomplete):
        raise
    except (OSError, UserError) as error:
        held.wait_if_gone(error)
        return _fault(held, folder, cohort, training.step, f"the file system was gone ({error})")
    except KeyboardInterrupt:
        raise at_once(checkpoints.step, interruption.unsaved(), plan.budget.agent_steps) from None

    checkpoints.clear()
    return None


def _fault(held: Held, folder: Path, cohort: Cohort, step: int, reason: str) -> str:
    """Record a fault, and say it; returns the reason."""
    faults.record(folder, cohort, step, reason, held)
    print(f"agent step {step}: {reason}", file=sys.stderr)
    return reason


def _seconds(options: Options) -> float:
    """Seconds between checkpoints. A GPU waits for them, and its cohorts are large."""
    if options.checkpoint_seconds is not None:
        return options.checkpoint_seconds
    return 900.0 if options.device.startswith("cuda") else 300.0


def _remove_results(folder: Path, cohort: Cohort, held: Held) -> None:
    """Results that a killed process left must not outlive their records."""
    for run in cohort.runs:
        held.remove(Folder(folder).run(run).result)


def _writer(folder: Path, plan: Plan, cohort: Cohort, held: Held) -> Report:
    """Writes how far a cohort is, with an estimate for all of it on one core.

    While the file system is gone, the cohort waits here: this is called after every step.
    """
    from harness.planning.estimate import estimate, final_seconds

    writer = Writer(
        Folder(folder).cohort(cohort.index).progress,
        plan.budget.agent_steps,
        plan.agent_settings().learning_starts,
        estimate(plan, [cohort]).core_hours * 3600.0,
        sum(final_seconds(plan, run) for run in cohort.runs),
    )

    def report(step: int, failure_signatures: Sequence[str]) -> None:
        if held.heard == "gone":
            held.check()
        try:
            writer(step, failure_signatures)
        except (OSError, UserError) as error:
            held.wait_if_gone(error)

    return report


def _stop(interruption: Interruption, max_wall: float | None, held: Held) -> Stop:
    """Stops once a signal came, `max_wall` seconds are over, or the cohort was taken over."""
    deadline = math.inf if max_wall is None else time.monotonic() + max_wall

    def stop() -> UserError | None:
        if interruption.asked:
            return Interrupted("stopped; everything is saved.", RESUME)
        if time.monotonic() > deadline:
            return Incomplete("--max-wall is over; everything is saved.", RESUME)
        return held.lost() if held.heard == "lost" else None

    return stop
