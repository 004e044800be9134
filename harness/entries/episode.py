"""Plays one claimed episode of an entry again: in EnvPool, as its evaluation did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.spec import Floats, Task
from envs.tasks import TASKS
from envs.worker import Worker
from harness.entries.policies import Unreadable
from harness.entries.policy import policy_of
from harness.entries.verified import Verified
from harness.errors import UserError
from harness.seeding import environment_seed
from leaderboard.formats.run import StatedRun


@dataclass(frozen=True)
class Episode:
    """One of the episodes that a run's score is the mean of, played again."""

    run: StatedRun
    number: int
    task: Task
    action_repeat: int
    seed: int
    """Of its environment."""
    resets: int
    """Episodes that its environment began before this one."""
    first_observation: Floats
    """[obs]"""
    actions: NDArray[np.float64]
    """[agent steps, act]"""
    returned: float
    """Its return here."""

    @property
    def signed(self) -> float:
        """Its return as the entry states it."""
        return self.run.final_returns[self.number]


def play(entry: Verified, run: StatedRun, number: int, worker: Worker) -> Episode:
    """Episode `number` (from 0) of a finished run's final evaluation.

    UserError if it has no such episode; Unreadable if its policy cannot act.
    """
    episodes = len(run.final_returns)
    if not 0 <= number < episodes:
        raise UserError(f"--episode {number}: {run.name} has episodes 0 to {episodes - 1}.")

    # Where the evaluation played it (harness/training/evaluation.py)
    plan = entry.plan
    resets, slot = divmod(number, plan.evaluation.environments)
    seed = environment_seed(plan.seed_source, run.task, run.seed, f"final/{slot}")
    task = TASKS[run.task]
    repeat = plan.budget.action_repeat
    policy = policy_of(entry, run)
    pool = worker.pool(task, [[seed]], repeat, auto_reset=False)
    pool.skip_resets(resets)
    first = observation = pool.reset()[0, 0]

    actions = list[NDArray[np.float64]]()
    returned = 0.0
    ended = False
    while not ended:
        actions.append(policy(observation, slot))
        try:
            step = pool.step(actions[-1][None, None])
        except ValueError as error:
            raise Unreadable(f"{run.name}: its policy cannot act: {error}") from None
        returned += float(step.reward[0, 0])
        observation = step.observation[0, 0]
        ended = bool(step.terminated[0, 0] or step.truncated[0, 0])
    pool.close()

    taken = np.clip(np.array(actions), task.action_spec.low, task.action_spec.high)
    return Episode(run, number, task, repeat, seed, resets, first, taken, returned)
