"""dm_control from EnvPool's initial states: the oracle that EnvPool's physics is checked against, bit by bit.

EnvPool seeds `std::mt19937` and draws with libstdc++'s distributions. Drawing the same numbers in the same order, injected
as dm_control's own random state, gives dm_control the same episode starts through its own code.

dm_control computes parts of its observations with numpy, whose BLAS rounds the last bit of small products by CPU: with
`OPENBLAS_CORETYPE=Nehalem` in the environment before numpy is loaded, both sides agree to the bit.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.spec import Task


class LibstdcxxRandom:
    """The part of `numpy.random.RandomState` that dm_control's tasks use, with libstdc++'s arithmetic."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.RandomState(seed)._bit_generator

    def random(self) -> float:
        """`std::uniform_real_distribution<double>(0, 1)`: two 32-bit draws, the low word first."""
        low, high = (int(word) for word in self._bits.random_raw(2))
        return float((low + high * 2.0**32) / 2.0**64)

    def normal(self) -> float:
        """`std::normal_distribution<double>(0, 1)`: Marsaglia's polar method.

        Its second value is lost, because EnvPool makes a new distribution object for every draw.
        """
        while True:
            x, y = 2.0 * self.random() - 1.0, 2.0 * self.random() - 1.0
            square = x * x + y * y
            if 0.0 < square <= 1.0:
                return y * math.sqrt(-2.0 * math.log(square) / square)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """As numpy's, element by element in C order."""
        shape = np.broadcast_shapes(np.shape(low), np.shape(high)) if size is None else size
        if shape == ():
            return low + (high - low) * self.random()
        lows, highs = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
        pairs = zip(lows.ravel(), highs.ravel(), strict=True)
        return np.array([a + (b - a) * self.random() for a, b in pairs]).reshape(shape)

    def rand(self, *shape: int) -> Any:
        """Uniform on [0, 1)."""
        return self.uniform(size=shape)

    def randn(self, *shape: int) -> Any:
        """Standard normal."""
        if not shape:
            return self.normal()
        return np.array([self.normal() for _ in range(math.prod(shape))]).reshape(shape)


class Oracle:
    """One dm_control environment that starts where EnvPool's does with the same seed."""

    def __init__(self, task: Task, seed: int) -> None:
        os.environ.setdefault("MUJOCO_GL", "disable")  # state only: no renderer is looked for
        from dm_control import suite

        self.task = task
        self._env = suite.load(task.domain, task.task)
        self._env.task._random = LibstdcxxRandom(seed)

    def reset(self) -> NDArray[np.float64]:
        """First observation of the next episode [obs]."""
        return self._flatten(self._env.reset().observation)

    def step(self, action: NDArray[np.float64]) -> tuple[NDArray[np.float64], np.float32]:
        """One environment step (no action repeat): observation [obs] and reward in EnvPool's precision."""
        step = self._env.step(action)
        return self._flatten(step.observation), np.float32(step.reward)

    def _flatten(self, observation: Any) -> NDArray[np.float64]:
        return np.concatenate(
            [np.reshape(observation[key], width) for key, width in self.task.observation]
        )
