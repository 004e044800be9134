"""dm_control from EnvPool's initial states: the oracle for EnvPool's physics, bit by bit.

EnvPool seeds `std::mt19937` and draws with libstdc++'s distributions. The oracle draws the same
numbers in the same order and injects them as dm_control's own random state. So dm_control starts
its episodes where EnvPool does, through its own code.

dm_control computes parts of its observations with numpy, whose BLAS rounds the last bit of small
products differently on each CPU. Both sides agree to the bit with `OPENBLAS_CORETYPE=Nehalem` in
the environment before numpy is loaded.

Not covered: tasks whose starts draw integers (manipulator, stacker).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.spec import Task

Doubles = NDArray[np.float64]


class LibstdcxxRandom:
    """The methods of `numpy.random.RandomState` that tasks call, in libstdc++'s arithmetic."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.RandomState(seed)._bit_generator

    def random(self) -> float:
        """`std::uniform_real_distribution<double>(0, 1)`: two 32-bit draws, the low word first."""
        low, high = (int(word) for word in self._bits.random_raw(2))
        return float((low + high * 2.0**32) / 2.0**64)

    def normal(self) -> float:
        """`std::normal_distribution<double>(0, 1)`: Marsaglia's polar method.

        The method's second value is dropped, because EnvPool makes a new distribution object for
        every draw.
        """
        while True:
            x = 2.0 * self.random() - 1.0
            y = 2.0 * self.random() - 1.0
            square = x * x + y * y
            if 0.0 < square <= 1.0:
                return y * math.sqrt(-2.0 * math.log(square) / square)

    def uniform(
        self, low: ArrayLike = 0.0, high: ArrayLike = 1.0, size: int | tuple[int, ...] | None = None
    ) -> float | Doubles:
        """As numpy's, element by element in C order."""
        shape = np.broadcast_shapes(np.shape(low), np.shape(high)) if size is None else size
        lows = np.broadcast_to(np.asarray(low, dtype=float), shape)
        highs = np.broadcast_to(np.asarray(high, dtype=float), shape)

        draws = np.empty(lows.shape)
        for index in np.ndindex(draws.shape):
            draws[index] = lows[index] + (highs[index] - lows[index]) * self.random()
        return draws if draws.shape else float(draws)

    def rand(self, *shape: int) -> float | Doubles:
        """Uniform on [0, 1)."""
        return self.uniform(size=shape)

    def randn(self, *shape: int) -> float | Doubles:
        """Standard normal."""
        if not shape:
            return self.normal()
        draws = [self.normal() for _ in range(math.prod(shape))]
        return np.array(draws).reshape(shape)


class Oracle:
    """One dm_control environment that starts where EnvPool's does with the same seed."""

    def __init__(self, task: Task, seed: int) -> None:
        os.environ.setdefault("MUJOCO_GL", "disable")  # state only: no renderer is needed
        from dm_control import suite

        self.task = task
        self._env = suite.load(task.domain, task.task)
        self._env.task._random = LibstdcxxRandom(seed)

    def reset(self) -> Doubles:
        """First observation of the next episode [obs]."""
        return self._joined(self._env.reset().observation)

    def step(self, action: Doubles) -> tuple[Doubles, np.float32]:
        """One environment step, without action repeat.

        Returns the observation [obs] and the reward in EnvPool's precision.
        """
        step = self._env.step(action)
        return self._joined(step.observation), np.float32(step.reward)

    @property
    def control_timestep(self) -> float:
        """Simulated seconds of one environment step."""
        return float(self._env.control_timestep())

    def render(self, width: int, height: int, camera: int) -> NDArray[np.uint8]:
        """What a camera of the model sees [height, width, 3]. Needs a library that draws, named by
        MUJOCO_GL before dm_control is loaded."""
        physics = self._env.physics
        visual = physics.model.vis.global_  # read when the first picture is drawn
        visual.offwidth = max(visual.offwidth, width)
        visual.offheight = max(visual.offheight, height)
        pixels: NDArray[np.uint8] = physics.render(height, width, camera_id=camera)
        return pixels

    def _joined(self, observation: Mapping[str, ArrayLike]) -> Doubles:
        keys = self.task.observation_spec.keys
        return np.concatenate([np.reshape(observation[key], width) for key, width in keys])
