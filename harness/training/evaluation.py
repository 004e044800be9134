"""Measuring a policy: own environments, own streams, steps counted apart from the budget.

Episode j of evaluation e runs in slot j mod E, from that slot's reset number e * episodes / E + j div E, always begun by a
forced reset. So every start state follows from the plan, whatever came before. How many members are measured at a time
bounds memory and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from agents.members.upload import upload
from envs.spec import Task
from envs.worker import WatchedPool, Worker
from harness.planning.sizing import MEMORY_MIB

Policy = Callable[[Tensor], Tensor]
"""Observations [P, E, obs] -> actions [P, E, act]; nothing random is drawn."""


class Evaluator:
    """Evaluations of P members on the streams whose seeds are given."""

    def __init__(
        self,
        worker: Worker,
        task: Task,
        seeds: Sequence[Sequence[int]],
        episodes: int,
        action_repeat: int,
    ) -> None:
        """`seeds` [P][E]: one for each member and slot; E divides `episodes`."""
        self.worker, self.task, self.seeds = worker, task, [list(slots) for slots in seeds]
        self.members, self.slots = len(self.seeds), len(self.seeds[0])
        assert episodes % self.slots == 0, "slots divide the episodes"
        self.rounds = episodes // self.slots
        self.action_repeat = action_repeat
        at_a_time = max(1, MEMORY_MIB // (task.memory_mib * self.slots))
        self.groups = [
            list(range(at, min(at + at_a_time, self.members)))
            for at in range(0, self.members, at_a_time)
        ]
        self._kept: tuple[WatchedPool, int] | None = None

    def __call__(self, policy: Policy, number: int, device: str = "cpu") -> NDArray[np.float64]:
        """Returns of evaluation `number` (counted from 0): [P, episodes]."""
        return self.begin(policy, number, device).finish()

    def begin(self, policy: Policy, number: int, device: str = "cpu") -> Measuring:
        """Evaluation `number`, to be carried on step by step while the caller does something else."""
        returns = np.zeros((self.members, self.rounds, self.slots))
        return Measuring(
            self._steps(policy, number, device, returns), returns.reshape(self.members, -1)
        )

    def _steps(
        self, policy: Policy, number: int, device: str, returns: NDArray[np.float64]
    ) -> Iterator[None]:
        for group in self.groups:
            pool = self._pool(group, number)
            for round_ in range(self.rounds):
                yield from self._episodes(policy, pool, group, device, returns[:, round_])
            if len(self.groups) == 1:
                self._kept = pool, number + 1
            else:
                pool.close()

    def _pool(self, group: list[int], number: int) -> WatchedPool:
        """Environments of a group of members, next to be reset for evaluation `number`; kept where one group is all."""
        if self._kept is not None and self._kept[1] == number:
            return self._kept[0]
        self.close()
        seeds = [seed for member in group for seed in self.seeds[member]]
        pool = self.worker.pool(self.task, seeds, self.action_repeat, auto_reset=False)
        pool.skip_resets([number * self.rounds] * pool.count)
        return pool

    def close(self) -> None:
        """Let the environments go that are kept for the next evaluation."""
        if self._kept is not None:
            self._kept[0].close()
            self._kept = None

    def _episodes(
        self,
        policy: Policy,
        pool: WatchedPool,
        group: list[int],
        device: str,
        returns: NDArray[np.float64],
    ) -> Iterator[None]:
        """One episode in every environment; their returns go into the group's rows of `returns` [P, slots]."""
        total = np.zeros(pool.count)
        running = np.ones(pool.count, dtype=bool)
        seen = np.zeros((self.members, self.slots, self.task.observation_size), dtype=np.float32)
        seen[group] = pool.reset().reshape(len(group), self.slots, -1)
        while running.any():
            action = policy(upload(seen, device))
            pool.send(action[group].reshape(pool.count, -1).cpu().double().numpy(), running)
            yield  # the simulator works
            step = pool.recv()
            total += step.reward
            running &= ~(step.terminated | step.truncated)
            seen[group] = step.observation.reshape(len(group), self.slots, -1)
        returns[group] = total.reshape(len(group), self.slots)


class Measuring:
    """An evaluation under way."""

    def __init__(self, steps: Iterator[None], returns: NDArray[np.float64]) -> None:
        """Made by `Evaluator.begin`."""
        self._steps, self._returns = steps, returns

    def advance(self) -> bool:
        """Take the environments' answer and send the next actions; True once everything is measured."""
        return next(self._steps, self) is self

    def finish(self) -> NDArray[np.float64]:
        """Go on to the end; the returns [P, episodes]."""
        for _ in self._steps:
            pass
        return self._returns
