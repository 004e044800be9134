"""Runs of an entry trained again, and whether they end as it says."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort, alike, kind
from harness.planning.plan import Plan, Run, write_plan
from harness.seeding import generator
from harness.training.unit import run_cohort
from leaderboard.formats import strict_json


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
    folder: Path, plan: Plan, predicate: dict[str, Any], count: int, nonce: str, same: bool
) -> list[Retrained]:
    """Train `count` runs again, with whom they were trained, drawn by the nonce; compare records, or else scores."""
    stated = {Run(run["task"], run["regime"], run["seed"]): run for run in predicate["runs"]}
    finished = [run for run in plan.runs if stated[run]["status"] == "finished"]
    order = torch.randperm(len(finished), generator=generator("retrain", nonce, 0, "runs")).tolist()
    chosen = [finished[index] for index in order[:count]]
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        again = write_plan(plan, Path(scratch))
        for index, run in enumerate(chosen):
            run_cohort(
                again,
                plan,
                _as_trained(plan, index, run, stated[run]["members"]),
                Options(device="cpu"),
            )
        for run in chosen:
            found.append(_compare(run, folder, again, stated, same))
    return found


def _as_trained(plan: Plan, index: int, run: Run, members: int) -> Cohort:
    """A cohort of as many members as the run was trained with: others of its kind fill it up, and change nothing of it."""
    others = [other for other in alike(plan)[kind(plan, run)] if other != run]
    return Cohort(index, run.task, (run, *others[: members - 1]))


def _compare(
    run: Run, folder: Path, again: Path, stated: dict[Run, dict[str, Any]], same: bool
) -> Retrained:
    records = [Folder(place).run(run).records for place in (folder, again)]
    repeated = records[0].read_bytes() == records[1].read_bytes()
    claimed = stated[run]["score"]
    observed = strict_json.parse(Folder(again).run(run).result.read_bytes())["score"]
    defect = None
    if same and not repeated:
        defect = f"trained again it scores {observed}, not {claimed}, on the same kind of machine"
    elif not repeated and observed is not None:
        cell = [r for r in stated.values() if (r["task"], r["regime"]) == (run.task, run.regime)]
        others = [r["score"] for r in cell if r["score"] is not None]
        spread = float(np.std(others, ddof=1)) if len(others) > 2 else math.inf
        if claimed - observed > 4.0 * math.sqrt(2.0) * spread:
            defect = f"trained again it scores {observed:.1f}, far below {claimed:.1f}"
    return Retrained(run, repeated, claimed, observed, defect)
