"""The unit of work: one cohort of a plan folder, carried out idempotently. Every executor ends up here."""

from __future__ import annotations

import fcntl
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import Incomplete
from harness.partition import Cohort
from harness.plan import Plan
from harness.progress import Writer


def finished(folder: Path, cohort: Cohort) -> bool:
    """Whether every run of the cohort has its result."""
    return all((folder / "runs" / run.name / "result.json").exists() for run in cohort.runs)


def run_cohort(folder: Path, plan: Plan, cohort: Cohort, device: str) -> None:
    """Train a cohort unless its results are there. Interrupted, its records stay; Incomplete if another process has it."""
    place = folder / "cohorts" / str(cohort.index)
    place.mkdir(parents=True, exist_ok=True)
    with _lease(place / "lease"), _stop_on_signal() as stopped:
        if finished(folder, cohort):
            return
        import torch

        from harness.cohort import Training
        from harness.estimate import estimate

        torch.set_num_threads(1)
        expected = estimate(plan, [cohort]).core_hours * 3600.0
        report = Writer(place / "progress.json", plan.budget.agent_steps, plan.agent_settings().warmup, expected)
        Training(plan, cohort, folder, device).run(report, stopped)


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
    """SIGINT or SIGTERM once asks to stop after the current step; a second one acts as it normally does."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        for signal_number, handler in before.items():
            signal.signal(signal_number, handler)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
