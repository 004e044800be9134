"""Measuring a policy: own environments, own streams, steps counted apart from the budget.

Episode j of evaluation e runs in slot j mod E. It starts from that slot's reset number
e * episodes / E + j div E, which is always forced. So every start state follows from the plan,
whatever came before. How many members are measured at a time bounds memory and changes nothing
else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.members.acting import Acting, Policy
from envs.spec import Task
from envs.worker import WatchedPool, Worker
from harness.planning.sizing import MEMORY_MIB


class Awaited(Protocol):
    """What an evaluation waits for: the simulator's answer, or the policy's."""

    def ready(self) -> bool:
        """Whether going on would not wait."""


class Evaluator:
    """Evaluations of P members, each on the E streams of its seeds."""

    def __init__(
        self,
        worker: Worker,
        task: Task,
        seeds: Sequence[Sequence[int]],
        episodes: int,
        action_repeat: int,
        memory_mib: float = MEMORY_MIB,
    ) -> None:
        """`seeds` [P][E]: one for each member and slot; E divides `episodes`. `memory_mib`: what
        the environments may take at a time."""
        self.worker = worker
        self.task = task
        self.seeds = [list(slots) for slots in seeds]
        self.action_repeat = action_repeat
        self.members = len(self.seeds)
        self.slots = len(self.seeds[0])
        assert episodes % self.slots == 0, "slots divide the episodes"
        self.rounds = episodes // self.slots

        # As many members at a time as fit into memory.
        size = max(1, int(memory_mib) // (task.memory_mib * self.slots))
        members = range(self.members)
        self.groups = [list(members[first : first + size]) for first in members[::size]]
        self._kept: tuple[WatchedPool, int] | None = None
        """A pool, and the number of the evaluation that it can be used for without skipping."""

    def __call__(self, policy: Policy, number: int, device: str = "cpu") -> NDArray[np.float64]:
        """Returns of evaluation `number` (counted from 0): [P, episodes]."""
        return self.begin(policy, number, device).finish()

    def begin(self, policy: Policy, number: int, device: str = "cpu") -> Measuring:
        """Evaluation `number`, which the caller advances step by step beside its other work."""
        returns = np.zeros((self.members, self.rounds, self.slots))
        steps = self._steps(Acting(policy, device), number, returns)
        return Measuring(steps, returns.reshape(self.members, -1))

    def close(self) -> None:
        """Free the environments that are kept for the next evaluation."""
        if self._kept is not None:
            self._kept[0].close()
            self._kept = None

    def _steps(
        self, acting: Acting, number: int, returns: NDArray[np.float64]
    ) -> Iterator[Awaited]:
        """Fills `returns` [P, rounds, slots], one group of members after the other; yields what it
        waits for, so that others work meanwhile."""
        for group in self.groups:
            pool = self._pool(group, number)
            for round_ in range(self.rounds):
                yield from self._episodes(acting, pool, group, returns[:, round_])
            if len(self.groups) == 1:
                self._kept = pool, number + 1
            else:
                pool.close()

    def _pool(self, group: list[int], number: int) -> WatchedPool:
        """The environments of a group of members, ready for their first reset of an evaluation.

        A single group keeps its environments from one evaluation to the next.
        """
        if self._kept is not None and self._kept[1] == number:
            return self._kept[0]
        self.close()
        seeds = [self.seeds[member] for member in group]
        pool = self.worker.pool(self.task, seeds, self.action_repeat, auto_reset=False)
        pool.skip_resets(number * self.rounds)
        return pool

    def _episodes(
        self,
        acting: Acting,
        pool: WatchedPool,
        group: list[int],
        returns: NDArray[np.float64],
    ) -> Iterator[Awaited]:
        """One episode in every environment; fills the group's rows of `returns` [P, E]."""
        spec = self.task.observation_spec
        observation = np.zeros((self.members, self.slots, *spec.shape), dtype=spec.dtype)
        pool.begin_reset()
        yield pool
        observation[group] = pool.finish_reset()
        total = np.zeros((len(group), self.slots))
        running = np.ones((len(group), self.slots), dtype=bool)

        # An environment whose episode ended stands still; its reward is 0 until all have ended.
        while running.any():
            action = acting(observation)
            if not action.ready():
                yield action
            pool.send(action.numpy()[group], running)
            yield pool
            step = pool.recv()
            total += step.reward
            running &= ~(step.terminated | step.truncated)
            observation[group] = step.observation
        returns[group] = total


class Measuring:
    """An evaluation in progress."""

    def __init__(self, steps: Iterator[Awaited], returns: NDArray[np.float64]) -> None:
        """Use `Evaluator.begin`."""
        self._steps = steps
        self._returns = returns
        self._awaited: Awaited | None = None

    def advance(self) -> bool:
        """Go on if that means no waiting; True once all is measured."""
        if self._awaited is not None and not self._awaited.ready():
            return False
        self._awaited = next(self._steps, None)
        return self._awaited is None

    def finish(self) -> NDArray[np.float64]:
        """Run to the end; the returns [P, episodes]."""
        for _ in self._steps:
            pass
        self._awaited = None
        return self._returns
