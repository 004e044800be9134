"""The final policy of a run, as a function of numpy observations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from agents.members.acting import Policy as MemberPolicy
from envs.spec import Task
from envs.tasks import TASKS
from harness.entries.policies import load_policies
from harness.entries.trained import cohort_of
from harness.entries.verified import Verified, accepted, judge
from harness.errors import UserError, suggestion
from harness.folder import Folder
from leaderboard.formats.run import Run, StatedRun


class Policy:
    """Observations -> actions of one policy.

    On a machine like the entry's, the actions are those that its evaluation took, to the bit: the
    networks are computed in the shape of that evaluation and at the run's place in it, because both
    decide how sums round.
    """

    def __init__(
        self, policy: MemberPolicy, task: Task, members: int, member: int, slots: int
    ) -> None:
        """`policy`: of an agent of so many members, of which `member` holds this policy; `slots`:
        environments of each member."""
        self._policy = policy
        self._shape = members, slots
        self._member = member
        self.task = task
        """What it was trained on: `task.observation` names the keys that are joined, in order."""

    def __call__(self, observation: ArrayLike, slot: int = 0) -> NDArray[np.float64]:
        """[obs] -> [act], or [n, obs] -> [n, act], in [-1, 1]. ValueError for another shape.

        `slot`: the environment of the evaluation in which the first observation was made.
        """
        given = np.asarray(observation, dtype=np.float32)
        size, slots = self.task.observation_size, self._shape[1]
        if not 0 <= slot < slots:
            raise ValueError(f"slot is {slot}, expected 0 to {slots - 1}")
        if given.ndim not in (1, 2) or given.shape[-1] != size:
            raise ValueError(
                f"observations have shape {given.shape}, expected [{size}] or [n, {size}]"
            )

        rows = given.reshape(-1, size)
        actions = np.zeros((len(rows), self.task.action))
        with _one_thread():
            done = 0
            while done < len(rows):
                some = rows[done : done + slots - slot]
                actions[done : done + len(some)] = self._act(some, slot)
                done += len(some)
                slot = 0
        return actions.reshape(*given.shape[:-1], self.task.action)

    def _act(self, observations: NDArray[np.float32], slot: int) -> NDArray[np.float64]:
        """[n, obs] -> [n, act], for as many as there are slots from this one on at most."""
        # Shape: [P, E, obs], of which n rows of one member count
        batch = torch.zeros((*self._shape, self.task.observation_size))
        rows = slice(slot, slot + len(observations))
        batch[self._member, rows] = torch.from_numpy(observations)
        actions: Tensor = self._policy(batch)[self._member, rows]
        return actions.double().numpy()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Evaluations compute with one thread: several sum in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def load_policy(
    entry: str | Path, *, task: str, regime: str, seed: int, tensors: str | Path | None = None
) -> Policy:
    """The policy of one run of an entry, which is verified first (harness/__init__.py)."""
    path = Path(entry)
    path = Folder(path).entry if path.is_dir() else path
    elsewhere = None if tensors is None else Path(tensors)
    signed = accepted(path, judge(path, tensors=elsewhere))
    return policy_of(signed, finished_run(signed, f"{task}/{regime}/{seed}"))


def finished_run(entry: Verified, name: str) -> StatedRun:
    """The run `task/regime/seed` of an entry; UserError if it has none, or one without a policy."""
    runs = {run.name: run for run in entry.runs}
    if name not in runs:
        raise UserError(f"{entry.path}: has no run {name}.{suggestion(name, runs)}")
    if not runs[name].finished:
        raise UserError(f"{entry.path}: run {name} is {runs[name].status}; it has no policy.")
    return runs[name]


def policy_of(entry: Verified, run: StatedRun) -> Policy:
    """The policy of a finished run. Raises Unreadable for tensors that do not fit."""
    own = Run(*run.identity)
    places = cohort_of(entry.plan, entry.runs, own)
    agent = load_policies(entry.read, entry.plan, [own] * len(places))
    slots = entry.plan.evaluation.environments
    policy = agent.snapshot()
    return Policy(policy, TASKS[run.task], len(places), places.index(own), slots)
