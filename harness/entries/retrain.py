"""Trains runs of an entry again, and compares how they end with what the entry holds."""

from __future__ import annotations

import itertools
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.entries.policies import load_policies
from harness.entries.rollout import Trial, fresh_returns
from harness.entries.trained import cohort_of
from harness.entries.verified import Verified
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import write_plan
from harness.seeding import generator
from harness.training.results import read_result
from harness.training.unit import run_cohort
from leaderboard.formats.layout import RECORDS, run_file
from leaderboard.formats.run import Run, StatedRun


@dataclass(frozen=True)
class Retrained:
    """One run, trained again."""

    run: Run
    repeated: bool
    """Whether its records came out again, to the byte."""
    fresh: float | None
    """Mean return on the run's fresh episodes; None if it failed."""


def train_again(entry: Verified, trial: Trial, count: int) -> list[Retrained]:
    """Trains `count` runs again, drawn by the nonce, with the cohorts that they were in, and rolls
    them out on the fresh streams of their runs. Half of them are runs that are said to have
    failed, as far as there are any: a rival's, called failed, would count as the floor."""
    # The nonce is younger than the entry: nobody could know which runs it draws.
    plan = trial.plan
    stated = {Run(*run.identity): run for run in entry.runs}
    failed = _shuffled([run for run in plan.runs if stated[run].status == "failed"], trial.nonce)
    finished = _shuffled([run for run in plan.runs if stated[run].finished], trial.nonce)
    turns = itertools.zip_longest(failed, finished)
    drawn = [run for turn in turns for run in turn if run is not None][:count]

    with tempfile.TemporaryDirectory() as scratch:
        folder = write_plan(plan, Path(scratch))
        # Its neighbours change nothing of a run, but its place among them does.
        places = dict.fromkeys(cohort_of(plan, entry.runs, run) for run in drawn)
        for index, runs in enumerate(places):
            run_cohort(folder, plan, Cohort(index, runs[0].task, runs), Options(device="cpu"))
        return [_outcome(entry, trial, folder, run, stated[run]) for run in drawn]


def _shuffled(runs: list[Run], nonce: str) -> list[Run]:
    """Runs in the order that the nonce draws."""
    draws = generator("retrain", nonce, 0, "runs")
    return [runs[index] for index in torch.randperm(len(runs), generator=draws).tolist()]


def _outcome(entry: Verified, trial: Trial, folder: Path, run: Run, stated: StatedRun) -> Retrained:
    """How one run ended here, beside what the entry holds of it."""
    again = Folder(folder).run(run)
    repeated = again.records.read_bytes() == entry.read(run_file(run.name, RECORDS))
    if not read_result(again.result).finished:
        return Retrained(run, repeated, None)

    def read(name: str) -> bytes:
        return (folder / name).read_bytes()

    agent = load_policies(read, trial.plan, [run] * stated.members)
    returns, *_ = fresh_returns(trial, agent, [run] * stated.members)
    return Retrained(run, repeated, math.fsum(returns) / len(returns))
