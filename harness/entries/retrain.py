"""Trains runs of an entry again, and compares how they end with what the entry states."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort, alike, program
from harness.planning.plan import Plan, write_plan
from harness.seeding import generator
from harness.training.results import read_result
from harness.training.unit import run_cohort
from leaderboard.formats.run import Run, StatedRun

FAR = 4.0
"""Standard deviations of a difference of two seeds by which a retrained run may score lower."""


@dataclass(frozen=True)
class Retrained:
    """One run, trained again."""

    run: Run
    repeated: bool
    """Whether its records came out again, to the byte."""
    claimed: float | None
    observed: float | None
    defect: str | None


def train_again(
    folder: Path, plan: Plan, runs: Sequence[StatedRun], count: int, nonce: str, same: bool
) -> list[Retrained]:
    """Trains `count` runs again, drawn by the nonce, each in a cohort of its original size.

    Records must be the same bytes on the `same` platform; elsewhere scores are compared.
    """
    # The nonce is younger than the entry: nobody could know which runs it draws.
    stated = {Run(run.task, run.regime, run.seed): run for run in runs}
    finished = [run for run in plan.runs if stated[run].finished]
    order = torch.randperm(len(finished), generator=generator("retrain", nonce, 0, "runs")).tolist()
    drawn = [finished[index] for index in order[:count]]

    with tempfile.TemporaryDirectory() as scratch:
        again = write_plan(plan, Path(scratch))
        for index, run in enumerate(drawn):
            cohort = _as_trained(plan, index, run, stated[run].members)
            run_cohort(again, plan, cohort, Options(device="cpu"))
        return [_compare(run, folder, again, stated, same) for run in drawn]


def _as_trained(plan: Plan, index: int, run: Run, members: int) -> Cohort:
    """A cohort of as many members as the run was trained with, since their number decides how sums
    round. Runs of the same program fill it up; they change nothing of the run."""
    neighbours = [neighbour for neighbour in alike(plan)[program(plan, run)] if neighbour != run]
    return Cohort(index, run.task, (run, *neighbours[: members - 1]))


def _compare(
    run: Run, folder: Path, again: Path, stated: dict[Run, StatedRun], same: bool
) -> Retrained:
    claimed_folder = Folder(folder).run(run)
    observed_folder = Folder(again).run(run)
    repeated = observed_folder.records.read_bytes() == claimed_folder.records.read_bytes()
    claimed = stated[run].score
    observed = read_result(observed_folder.result).score

    # On the same platform records must be the same; elsewhere the score may be as low as chance.
    defect = None
    if same and not repeated:
        defect = f"trained again it scores {observed}, not {claimed}, on the same kind of machine"
    elif not repeated and observed is not None and claimed is not None:
        far = FAR * math.sqrt(2.0) * _spread(stated[run], stated.values())
        if claimed - observed > far:
            defect = f"trained again it scores {observed:.1f}, far below {claimed:.1f}"
    return Retrained(run, repeated, claimed, observed, defect)


def _spread(run: StatedRun, runs: Iterable[StatedRun]) -> float:
    """Standard deviation of the scores of a run's group; infinite below three of them."""
    scores = [seed.score for seed in runs if seed.group == run.group and seed.score is not None]
    return float(np.std(scores, ddof=1)) if len(scores) > 2 else math.inf
