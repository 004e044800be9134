"""Rolls the policies of an entry out again, each twice.

The first stream is that of the claimed score: on the same kind of machine the same returns must
come out, to the bit. The second is fresh, and nobody could know it before: the claimed returns must
not exceed its returns by more than chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.protocol import Agent
from envs.tasks import TASKS
from envs.worker import Worker
from harness.entries.policies import load_policies
from harness.planning.cohorts import Program, program
from harness.planning.plan import Plan
from harness.seeding import environment_seed
from harness.training.evaluation import Evaluator
from leaderboard.formats.run import Run, StatedRun
from leaderboard.statistics.inflation import inflated


@dataclass(frozen=True)
class RunCheck:
    """One policy, rolled out again."""

    run: Run
    repeated: bool
    """Whether the claimed returns came out again, to the bit."""
    claimed: float
    observed: float
    """Mean return on the fresh stream."""
    p: float
    """Of the claim not being too high."""
    z: float
    defect: str | None


@dataclass(frozen=True)
class Trial:
    """What all rollouts of a re-evaluation share."""

    folder: Path
    plan: Plan
    worker: Worker
    nonce: str
    same: bool
    """Whether bits must come out again."""
    level: float
    """Of the tests of all runs one by one, which share it out."""


Claimed = tuple[Run, Sequence[float]]
"""A run and its final returns, as stated."""


def roll_out(trial: Trial, stated_runs: Sequence[StatedRun]) -> list[RunCheck]:
    """Checks every policy of an entry; the level of the trial is shared out over the runs."""
    # Bonferroni: the chance that an honest entry is refused for any run stays below the level.
    groups = list(_groups(trial.plan, stated_runs))
    runs = sum(len(claimed) for _, claimed in groups)
    trial = replace(trial, level=trial.level / max(1, runs))

    checks = list[RunCheck]()
    for members, claimed in groups:
        checks += _check(trial, members, claimed)
    return checks


def _groups(plan: Plan, stated_runs: Sequence[StatedRun]) -> Iterator[tuple[int, list[Claimed]]]:
    """Finished runs by their number of members and their program: what was trained as one program
    is rolled out as one."""
    alike: dict[tuple[int, Program], list[Claimed]] = {}
    for stated in stated_runs:
        if stated.finished:
            run = Run(stated.task, stated.regime, stated.seed)
            trained_as = (stated.members, program(plan, run))
            alike.setdefault(trained_as, []).append((run, stated.final_returns))

    # A group may be larger than one cohort was.
    for (members, _), claimed in alike.items():
        for first in range(0, len(claimed), members):
            yield members, claimed[first : first + members]


def _check(trial: Trial, members: int, claimed: list[Claimed]) -> list[RunCheck]:
    """Both rollouts of the policies of one group."""
    runs = [run for run, _ in claimed]
    agent = load_policies(trial.folder, trial.plan, runs, members)

    # The same number of members rounds the same way.
    filled = [runs[index % len(runs)] for index in range(members)]
    repeated = _returns(trial, agent, filled, "final")
    fresh = _returns(trial, agent, filled, f"reeval/{trial.nonce}")
    return [
        _compare(trial, run, returns, repeated[member].tolist(), fresh[member].tolist())
        for member, (run, returns) in enumerate(claimed)
    ]


def _compare(
    trial: Trial, run: Run, claimed: Sequence[float], repeated: list[float], fresh: list[float]
) -> RunCheck:
    """One policy's claimed returns beside those of both rollouts."""
    same = repeated == list(claimed)
    z, p = inflated(claimed, fresh)
    mean = math.fsum(claimed) / len(claimed)
    observed = float(np.mean(fresh))

    # On the same platform bits decide; elsewhere, whether the claim is too high.
    defect = None
    if trial.same and not same:
        defect = (
            f"its policy returns {float(np.mean(repeated)):.1f} on the claimed episodes here, not"
            f" {mean:.1f}, on the same kind of machine"
        )
    elif p < trial.level:
        defect = f"claims {mean:.1f}, fresh episodes return {observed:.1f} (p {p:.2g})"
    return RunCheck(run, same, mean, observed, p, z, defect)


def _returns(trial: Trial, agent: Agent, runs: list[Run], word: str) -> NDArray[np.float64]:
    """Returns of the final protocol on a stream: [P, episodes]."""
    # Every environment of every run has a seed of its own. Shape: [P][E]
    plan = trial.plan
    words = [f"{word}/{slot}" for slot in range(plan.evaluation.environments)]
    seeds = list[list[int]]()
    for run in runs:
        source = plan.seed_source
        seeds.append([environment_seed(source, run.task, run.seed, stream) for stream in words])

    evaluator = Evaluator(
        trial.worker,
        TASKS[runs[0].task],
        seeds,
        plan.evaluation.final_episodes,
        plan.budget.action_repeat,
    )
    returns = evaluator(agent.snapshot(), 0)
    evaluator.close()
    return returns
