"""Trains runs of an entry again, and compares how they end with what the entry holds."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from harness.entries.policies import load_policies
from harness.entries.rollout import Trial, fresh_returns, players
from harness.entries.trained import cohort_of
from harness.entries.verified import Verified
from harness.errors import Interrupted, UserError
from harness.folder import Folder
from harness.machine.device import choose_device
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import write_plan
from harness.seeding import generator
from harness.training import precision
from harness.training.results import read_result
from harness.training.unit import run_cohort
from leaderboard.formats.layout import RECORDS, run_file
from leaderboard.formats.run import Run


@dataclass(frozen=True)
class Retraining:
    """How many runs are trained again, and how."""

    count: int = 0
    options: Options = field(default_factory=Options)
    work: Path | None = None
    """Folder that keeps what was trained, for the same command to go on; None: nothing is kept."""

    def for_entry(self, entry: Verified) -> Retraining:
        """With the device on which its runs are trained again: a GPU if the entry names one, and
        there is one here. UserError for a GPU if it names none; NonConforming where its products
        cannot be computed."""
        if not self.count:
            return self
        asked, gpus = self.options.device, entry.documents.statement.predicate.hardware.gpus
        if asked.startswith("cuda") and not gpus:
            raise UserError(
                f"--device {asked}: the entry names no GPU, and a GPU computes other bits; leave it"
                " out, and its runs are trained again on a CPU."
            )
        device = choose_device(asked, "any", entry.plan.suite.name) if gpus else "cpu"
        precision.check(entry.plan.precision, device)
        return replace(self, options=replace(self.options, device=device))


NOTHING = Retraining()


@dataclass(frozen=True)
class Retrained:
    """One run, trained again."""

    run: Run
    repeated: bool
    """Whether its records came out again, to the byte."""
    fresh: float | None
    """Mean return on the run's fresh episodes; None if it failed."""


def train_again(entry: Verified, trial: Trial, again: Retraining) -> list[Retrained]:
    """Trains runs again, drawn by the nonce, with the cohorts that they were in, and rolls them out
    on the fresh streams of their runs. Half of them are runs that are said to have failed, as far
    as there are any: a rival's, called failed, would count as the floor.

    Raises what `run_cohort` does; what is in `again.work` is kept."""
    # The nonce is younger than the entry: nobody could know which runs it draws.
    plan = trial.plan
    stated = {Run(*run.identity): run for run in entry.runs}
    failed = _shuffled([run for run in plan.runs if stated[run].status == "failed"], trial.nonce)
    finished = _shuffled([run for run in plan.runs if stated[run].finished], trial.nonce)
    turns = itertools.zip_longest(failed, finished)
    drawn = [run for turn in turns for run in turn if run is not None][: again.count]

    with _place(again.work) as place:
        folder = write_plan(plan, place)
        # Its neighbours change nothing of a run, but its place among them does.
        places = dict.fromkeys(cohort_of(plan, entry.runs, run) for run in drawn)
        for index, runs in enumerate(places):
            run_cohort(folder, plan, Cohort(index, runs[0].task, runs), again.options)
        fresh = dict[Run, float]()
        for runs in places:
            fresh |= _fresh_means(trial, folder, runs)
        return [Retrained(run, _repeated(entry, folder, run), fresh.get(run)) for run in drawn]


@contextmanager
def _place(work: Path | None) -> Iterator[Path]:
    """Where runs are trained: `work`, or a folder that goes away with the block."""
    if work is not None:
        yield work
        return
    with tempfile.TemporaryDirectory() as scratch:
        try:
            yield Path(scratch)
        except Interrupted:
            raise Interrupted(
                "stopped, and nothing is kept. With --work FOLDER the same command would go on."
            ) from None


def _shuffled(runs: list[Run], nonce: str) -> list[Run]:
    """Runs in the order that the nonce draws."""
    draws = generator("retrain", nonce, 0, "runs")
    return [runs[index] for index in torch.randperm(len(runs), generator=draws).tolist()]


def _repeated(entry: Verified, folder: Path, run: Run) -> bool:
    """Whether a run's records came out again, to the byte."""
    again = Folder(folder).run(run).records.read_bytes()
    return again == entry.read(run_file(run.name, RECORDS))


def _fresh_means(trial: Trial, folder: Path, runs: Sequence[Run]) -> dict[Run, float]:
    """Mean return on its fresh episodes of each run of a cohort that finished."""
    finished = [run for run in runs if read_result(Folder(folder).run(run).result).finished]
    if not finished:
        return {}

    def read(name: str) -> bytes:
        return (folder / name).read_bytes()

    policies = players(runs, finished)
    returns = fresh_returns(trial, load_policies(read, trial.plan, policies), policies)
    means = [math.fsum(own) / len(own) for own in returns]
    return {run: own for run, own in zip(runs, means, strict=True) if run in finished}
