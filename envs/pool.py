"""EnvPool behind one adapter: P members with E environments of one task each, stepped in C++.

What the adapter adds to EnvPool 1.2.5:
* the listed observation keys, in dm_control's order;
* action repeat with summed rewards (EnvPool's `frame_skip` counts physics steps and keeps the last
  reward alone);
* forced resets whose stale reward never gets out;
* checked actions (EnvPool reads a wrong shape out of bounds and silently zeroes NaN);
* threads within the CPU set;
* a cursor, which with the seeds is the whole state of a pool.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.spec import Action, Flags, Floats, Observation, Step, Task

LARGEST_SEED = 2**31 - 1

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Cursor:
    """Where the environments of a pool are, member after member.

    EnvPool's k-th reset depends on the seed and k alone. So replaying the resets, and the actions
    since the last one, restores an environment exactly.
    """

    resets: tuple[int, ...]
    """Resets of each environment so far."""
    actions: tuple[NDArray[np.float64], ...]
    """For each environment, the actions [t, act] since its last reset."""


class Pool:
    """P members with E environments of one task each; every environment has its own seed.

    Callers see arrays [P, E, ...]. Inside, as in EnvPool, environments are numbered member after
    member from 0 to N - 1 with N = P * E, and arrays are [N, ...].
    """

    def __init__(
        self,
        task: Task,
        seeds: Sequence[Sequence[int]],
        action_repeat: int | None = None,
        threads: int | None = None,
        auto_reset: bool = True,
    ) -> None:
        """Builds the environments of the seeds [P][E]. Call `reset` before the first step.

        `action_repeat` defaults to the task's, `threads` to the CPUs that this process may use.
        With `auto_reset`, `recv` also begins the next episode where one ended.

        Raises ValueError for seeds outside [0, 2^31), for members with different numbers of
        environments, and for an action repeat that does not divide the horizon.
        """
        self.task = task
        self.seeds = _flat_seeds(seeds)
        self.shape = len(seeds), len(seeds[0])
        """(P, E)."""
        self.action_repeat = task.action_repeat if action_repeat is None else action_repeat
        if self.action_repeat < 1 or task.horizon % self.action_repeat:
            raise ValueError(
                f"action_repeat is {self.action_repeat}, "
                f"expected a divisor of {task.name}'s {task.horizon} steps"
            )
        self.auto_reset = auto_reset

        # The simulator.
        self._count = len(self.seeds)
        self._ids = np.arange(self._count, dtype=np.int32)
        cpus = len(os.sched_getaffinity(0))
        self._pool = _make(task, self.seeds, min(self._count, threads or cpus))

        # The cursor, and the step that was sent and not yet received.
        self._resets = np.zeros(self._count, dtype=np.int64)
        self._actions: list[list[NDArray[np.float64]]] = [[] for _ in self.seeds]
        self._sent: tuple[NDArray[np.float64], NDArray[np.int32]] | None = None

    # -- stepping --

    def reset(self) -> Floats:
        """Force a new episode in every environment; returns its first observations [P, E, obs]."""
        return self._by_member(self._reset(self._ids))

    def send(self, action: ArrayLike, running: Flags | None = None) -> None:
        """Start one agent step with actions [P, E, act], clipped to the task's bounds.

        `running` [P, E]: the environments that move, by default all.
        Raises ValueError for a wrong shape or a value that is not finite.
        """
        assert self._sent is None, "recv() before the next send()"
        actions = _checked(action, self.shape, self.task.action_spec)
        moving = self._ids if running is None else self._ids[np.ravel(running)]
        self._pool.send(actions[moving], moving)
        self._sent = actions, moving

    def recv(self) -> Step:
        """Finish the agent step: rewards of the repeated steps summed, up to an episode's end."""
        assert self._sent is not None, "send() before recv()"
        actions, moving = self._sent
        self._sent = None
        observation = self._blank_observation()
        reward = np.zeros(self._count, dtype=np.float32)
        terminated = np.zeros(self._count, dtype=bool)
        truncated = np.zeros(self._count, dtype=bool)

        # Repeat the action where the episode continues.
        for repeat in range(self.action_repeat):
            if repeat:
                unfinished = moving[~(terminated | truncated)[moving]]
                if not len(unfinished):
                    break
                self._pool.send(actions[unfinished], unfinished)
            latest, rewards, terminations, truncations, about = self._pool.recv()
            rows = about["env_id"]
            observation[rows] = _joined(latest, self.task.observation_spec)
            reward[rows] += rewards
            terminated[rows] = terminations
            truncated[rows] = truncations
        self._remember(actions, moving)

        # Begin the next episode where one ended. Its first observation replaces the last one only
        # in what is acted on next: learning needs the true last observation.
        start = observation
        ended = terminated | truncated
        if self.auto_reset and ended.any():
            start = observation.copy()
            start[ended] = self._reset(self._ids[ended])

        return Step(
            observation=self._by_member(observation),
            reward=self._by_member(reward),
            terminated=self._by_member(terminated),
            truncated=self._by_member(truncated),
            start=self._by_member(start),
        )

    def step(self, action: ArrayLike, running: Flags | None = None) -> Step:
        """`send`, then `recv`."""
        self.send(action, running)
        return self.recv()

    # -- saving and restoring --

    @property
    def cursor(self) -> Cursor:
        """Where every environment is now."""
        width = self.task.action_spec.size
        return Cursor(
            resets=tuple(int(resets) for resets in self._resets),
            actions=tuple(
                np.array(actions, dtype=np.float64).reshape(-1, width) for actions in self._actions
            ),
        )

    def restore(self, cursor: Cursor) -> Floats:
        """Bring a new pool of the same seeds to `cursor`.

        Returns the observations to act on [P, E, obs].
        """
        assert not self._resets.any(), "a cursor is replayed into a new pool"
        self._skip_resets(np.array(cursor.resets) - 1)
        observation = self._reset(self._ids)

        # Replay the actions since the last reset; environments may be at different steps.
        lengths = np.array([len(actions) for actions in cursor.actions])
        for step in range(lengths.max()):
            moving = self._ids[step < lengths]
            actions = np.zeros((self._count, self.task.action_spec.size))
            for environment in moving:
                actions[environment] = cursor.actions[environment][step]
            for _ in range(self.action_repeat):
                self._pool.send(actions[moving], moving)
                latest, _, _, _, about = self._pool.recv()
                observation[about["env_id"]] = _joined(latest, self.task.observation_spec)
            self._remember(actions, moving)
        return self._by_member(observation)

    def skip_resets(self, amounts: ArrayLike) -> None:
        """Go past this many resets in each environment: [P, E], or one number for all."""
        self._skip_resets(np.broadcast_to(amounts, self.shape).ravel())

    # -- inside: environments by number, arrays [N, ...] --

    def _by_member(self, array: NDArray[Number]) -> NDArray[Number]:
        """[N, ...] -> [P, E, ...]."""
        return array.reshape(*self.shape, *array.shape[1:])

    def _reset(self, ids: NDArray[np.int32]) -> Floats:
        """Force a new episode in these environments; returns its first observations [n, obs]."""
        observation, about = self._pool.reset(ids)
        assert not about["elapsed_step"].any(), "a forced reset starts at step 0"
        self._resets[ids] += 1
        for environment in ids:
            self._actions[environment] = []

        # EnvPool answers in an order of its own.
        first = self._blank_observation()
        first[about["env_id"]] = _joined(observation, self.task.observation_spec)
        return first[ids]

    def _skip_resets(self, amounts: NDArray[np.int64]) -> None:
        for reset in range(amounts.max(initial=0)):
            self._reset(self._ids[reset < amounts])

    def _remember(self, actions: NDArray[np.float64], moving: NDArray[np.int32]) -> None:
        """Add an agent step to the cursor."""
        for environment in moving:
            self._actions[environment].append(actions[environment])

    def _blank_observation(self) -> Floats:
        spec = self.task.observation_spec
        return np.zeros((self._count, *spec.shape), dtype=spec.dtype)


def _flat_seeds(seeds: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Seeds [P][E] -> [N], checked."""
    numbers = tuple(int(seed) for seed in chain.from_iterable(seeds))
    in_range = all(0 <= seed <= LARGEST_SEED for seed in numbers)
    environments = {len(of_member) for of_member in seeds}
    if not numbers or not in_range or len(environments) > 1:
        raise ValueError(
            f"seeds are {[list(of_member) for of_member in seeds]}, expected for each member "
            f"equally many integers from 0 to {LARGEST_SEED}, one for each environment"
        )
    return numbers


def _checked(action: ArrayLike, shape: tuple[int, int], spec: Action) -> NDArray[np.float64]:
    """Actions [P, E, act] of `shape` (P, E) -> [N, act], clipped to the bounds."""
    actions = np.array(action, dtype=np.float64, order="C")
    expected = (*shape, spec.size)
    if actions.shape != expected:
        raise ValueError(f"actions have shape {actions.shape}, expected {expected}")

    finite = np.isfinite(actions).all(axis=-1)
    if not finite.all():
        environments = np.argwhere(~finite).tolist()
        raise ValueError(
            f"actions of environments {environments} ([member, environment]) are not finite"
        )
    return np.clip(actions, spec.low, spec.high).reshape(-1, spec.size)


def _joined(observation: Mapping[str, NDArray[np.float64]], spec: Observation) -> Floats:
    """The listed keys of EnvPool's observations, side by side: [n, obs]."""
    parts = [np.reshape(observation[key], (-1, width)) for key, width in spec.keys]
    joined: Floats = np.concatenate(parts, axis=1, dtype=spec.dtype, casting="same_kind")
    return joined.reshape(-1, *spec.shape)


def _envpool() -> Any:
    """EnvPool, which needs to know no environments here but dm_control's.

    Its package registers seventeen families on import, and loads matplotlib for one of them: with
    an empty module in the place of that list, a worker starts with a third of the work
    (benchmarks/worker_start.py).

    Known limit: what imports EnvPool later in this process finds no other environments.
    """
    sys.modules.setdefault("envpool.entry", ModuleType("envpool.entry"))
    import envpool
    import envpool.mujoco.dmc.registration

    return envpool


def _make(task: Task, seeds: Sequence[int], threads: int) -> Any:
    """An EnvPool with exactly the action width and observation keys that the catalogue lists."""
    pool = _envpool().make_gymnasium(
        task.env_id, num_envs=len(seeds), seed=list(seeds), num_threads=threads
    )

    # EnvPool itself checks neither: a wrong width would be read out of bounds.
    for key, width in task.observation_spec.keys:
        simulated = int(np.prod(pool.observation_space[key].shape))
        assert simulated == width, (
            f"{task.name}: {key} is {simulated} wide in EnvPool, {width} in the catalogue"
        )
    assert pool.action_space.shape == (task.action_spec.size,), (
        f"{task.name}: action width {pool.action_space.shape}"
    )
    return pool
