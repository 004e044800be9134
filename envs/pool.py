"""EnvPool behind one adapter: N environments of one task, stepped in C++.

What the adapter adds to EnvPool 1.2.5: listed observation keys in dm_control's order; action repeat with summed reward
(EnvPool's `frame_skip` counts physics steps and keeps the last reward alone); forced resets whose stale reward never gets
out; checked actions (a wrong shape is read out of bounds there, NaN is silently zeroed); threads within the CPU set; and
the cursor that is the whole state of a pool.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.spec import Flags, Floats, Step, Task

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Cursor:
    """Where N environments are: with their seeds, this is everything.

    EnvPool's k-th reset depends on the seed and k alone, so replaying resets and the actions since the last one restores
    the environment exactly.
    """

    resets: tuple[int, ...]
    """Resets of each environment so far."""
    actions: tuple[NDArray[np.float64], ...]
    """For each environment, the actions [t, act] since its last reset."""


class Pool:
    """N environments of one task, each with its own seed."""

    def __init__(
        self,
        task: Task,
        seeds: Sequence[int],
        action_repeat: int = 2,
        threads: int | None = None,
        auto_reset: bool = True,
    ) -> None:
        """Builds the environments; `threads` defaults to the CPUs this process may use. Call `reset` before the first step.

        With `auto_reset`, an environment whose episode ended begins the next one within the same `recv`.

        Raises ValueError for a seed outside [0, 2^31) or an action repeat that does not divide the horizon.
        """
        if not all(0 <= seed <= LARGEST_SEED for seed in seeds) or not seeds:
            raise ValueError(
                f"seeds are {list(seeds)}, expected one integer from 0 to {LARGEST_SEED} for each environment"
            )
        if action_repeat < 1 or task.horizon % action_repeat:
            raise ValueError(
                f"action_repeat is {action_repeat}, expected a divisor of {task.name}'s {task.horizon} steps"
            )
        self.task = task
        self.seeds = tuple(int(seed) for seed in seeds)
        self.action_repeat = action_repeat
        self.auto_reset = auto_reset
        self.count = len(self.seeds)
        cpus = len(os.sched_getaffinity(0))
        self._pool = _make(task, self.seeds, min(self.count, threads or cpus))
        self._ids = np.arange(self.count, dtype=np.int32)
        self._resets = np.zeros(self.count, dtype=np.int64)
        self._taken: list[list[NDArray[np.float64]]] = [[] for _ in self.seeds]
        self._sent: tuple[NDArray[np.float64], NDArray[np.int32]] | None = None

    def reset(self, environments: ArrayLike | None = None) -> Floats:
        """Force a new episode in these environments (all by default): their first observations [n, obs]."""
        ids = self._ids if environments is None else np.asarray(environments, dtype=np.int32)
        observation, info = self._pool.reset(ids)
        assert not info["elapsed_step"].any(), "a forced reset starts at step 0"
        self._resets[ids] += 1
        for environment in ids:
            self._taken[environment] = []
        return self._observations(observation, info["env_id"], ids)

    def send(self, action: ArrayLike, running: Flags | None = None) -> None:
        """Start one agent step with actions [N, act], clipped to [-1, 1]; only environments that are `running` [N] move.

        Raises ValueError for a wrong shape or a value that is not finite.
        """
        assert self._sent is None, "recv() before the next send()"
        checked = np.array(action, dtype=np.float64, order="C")
        if checked.shape != (self.count, self.task.action):
            raise ValueError(
                f"actions have shape {checked.shape}, expected {(self.count, self.task.action)}"
            )
        if not np.isfinite(checked).all():
            raise ValueError(
                f"actions of environments {np.flatnonzero(~np.isfinite(checked).all(1)).tolist()} are not finite"
            )
        moving = self._ids if running is None else self._ids[running]
        self._sent = np.clip(checked, -1.0, 1.0), moving
        self._pool.send(self._sent[0][moving], moving)

    def recv(self) -> Step:
        """Finish the agent step: rewards of the repeated steps summed, stopping where an episode ends."""
        assert self._sent is not None, "send() before recv()"
        (action, moving), self._sent = self._sent, None
        observation = np.zeros((self.count, self.task.observation_size), dtype=np.float32)
        reward = np.zeros(self.count, dtype=np.float32)
        terminated, truncated = np.zeros(self.count, dtype=bool), np.zeros(self.count, dtype=bool)
        for repeat in range(self.action_repeat):
            if repeat:
                going = moving[~(terminated | truncated)[moving]]
                if not len(going):
                    break
                self._pool.send(action[going], going)
            seen, rewards, ends, limits, info = self._pool.recv()
            rows = info["env_id"]
            observation[rows] = self._flatten(seen)
            reward[rows] += rewards
            terminated[rows], truncated[rows] = ends, limits
        for environment in moving:
            self._taken[environment].append(action[environment])
        start = observation
        ended = terminated | truncated
        if self.auto_reset and ended.any():
            start = observation.copy()
            start[ended] = self.reset(self._ids[ended])
        return Step(observation, reward, terminated, truncated, start)

    def step(self, action: ArrayLike, running: Flags | None = None) -> Step:
        """`send`, then `recv`."""
        self.send(action, running)
        return self.recv()

    @property
    def cursor(self) -> Cursor:
        """Where every environment is now."""
        width = self.task.action
        taken = tuple(
            np.array(actions, dtype=np.float64).reshape(-1, width) for actions in self._taken
        )
        return Cursor(tuple(int(resets) for resets in self._resets), taken)

    def restore(self, cursor: Cursor) -> Floats:
        """Bring a new pool with the same seeds to `cursor`; returns the observations to act on [N, obs]."""
        assert not self._resets.any(), "a cursor is replayed into a new pool"
        self.skip_resets([resets - 1 for resets in cursor.resets])
        observation = self.reset()
        for at in range(max(len(actions) for actions in cursor.actions)):
            going = [e for e in range(self.count) if at < len(cursor.actions[e])]
            for _ in range(self.action_repeat):
                ids = np.array(going, dtype=np.int32)
                self._pool.send(np.stack([cursor.actions[e][at] for e in going]), ids)
                seen, _, _, _, info = self._pool.recv()
                observation[info["env_id"]] = self._flatten(seen)
            for environment in going:
                self._taken[environment].append(cursor.actions[environment][at])
        return observation

    def skip_resets(self, amounts: Sequence[int]) -> None:
        """Go past this many resets in each environment."""
        for reset in range(max(amounts, default=0)):
            self.reset(
                [environment for environment, amount in enumerate(amounts) if reset < amount]
            )

    def _observations(
        self, observation: Any, rows: NDArray[np.int32], wanted: NDArray[np.int32]
    ) -> Floats:
        """Listed keys, in the order of the wanted environments."""
        order = np.argsort(rows)[np.argsort(np.argsort(wanted))]
        ordered: Floats = self._flatten(observation)[order]
        return ordered

    def _flatten(self, observation: Any) -> Floats:
        parts = [np.reshape(observation[key], (-1, width)) for key, width in self.task.observation]
        return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")


def _make(task: Task, seeds: Sequence[int], threads: int) -> Any:
    """An EnvPool with exactly the action width and observation keys that the catalogue lists."""
    import envpool  # slow to import, and only ever needed where environments run

    pool = envpool.make_gymnasium(
        task.env_id, num_envs=len(seeds), seed=list(seeds), num_threads=threads
    )
    space = pool.observation_space
    for key, width in task.observation:
        found = int(np.prod(space[key].shape))
        assert found == width, (
            f"{task.name}: {key} is {found} wide in EnvPool, {width} in the catalogue"
        )
    assert pool.action_space.shape == (task.action,), (
        f"{task.name}: action width {pool.action_space.shape}"
    )
    return pool
