"""The words of an environment that learning code may know: what a task is, what a step returns.

Nothing here loads a simulator or torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Observation:
    """What an agent sees of one environment (compare `dm_env.specs.Array`)."""

    keys: tuple[tuple[str, int], ...]
    """Keys of the simulator's observation and their widths, in the order in which they are joined.
    Keys that are not listed are left out."""
    shape: tuple[int, ...]
    """Shape of the joined observation; its size is the sum of all widths."""
    dtype: str
    """Name of the numpy type that the agent gets."""

    @property
    def size(self) -> int:
        """Numbers in one observation."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Action:
    """What an agent may choose for one environment (compare `dm_env.specs.BoundedArray`)."""

    size: int
    """Width of an action."""
    low: float
    """Smallest value of each component. The pool clips to it."""
    high: float
    """Largest value of each component. The pool clips to it."""


@dataclass(frozen=True)
class Task:
    """One task as the catalogue lists it: what is seen and done, how episodes end, what it costs.

    Only `differs` has a default: a new task states its costs, and does not inherit another's.
    """

    name: str
    """The name that suites and results use, `domain-task`, as in `dog-run`."""
    domain: str
    """Body and scene. Tasks of one domain share a simulated model."""
    task: str
    """What the body is rewarded for."""
    env_id: str
    """The name under which EnvPool has the task."""
    observation_spec: Observation
    """What an agent sees."""
    action_spec: Action
    """What an agent may choose."""
    terminates: bool
    """Whether an episode can end before its time limit."""
    horizon: int
    """Environment steps of an episode that runs into its time limit."""
    action_repeat: int
    """Environment steps of one agent step, unless a suite says otherwise."""
    returns: tuple[float, float]
    """Lowest and highest return of an episode. A run without a score counts as the lowest."""
    memory_mib: int
    """Memory of one environment in MiB, its own copy of the model included."""
    step_ms: float
    """Milliseconds of one environment step on one core."""
    differs: str = ""
    """How EnvPool's task differs from the original, or empty where they agree."""

    @property
    def observation(self) -> tuple[tuple[str, int], ...]:
        """Observation keys and widths, as a plan states them."""
        return self.observation_spec.keys

    @property
    def observation_size(self) -> int:
        """Width of one observation."""
        return self.observation_spec.size

    @property
    def action(self) -> int:
        """Width of one action."""
        return self.action_spec.size


@dataclass(frozen=True)
class Step:
    """What one agent step of P members with E environments each returned."""

    observation: Floats
    """True next observations [P, E, obs], also at an episode's end."""
    reward: Floats
    """Rewards summed over the repeated environment steps [P, E]."""
    terminated: Flags
    """Whether the task ended the episode [P, E]."""
    truncated: Flags
    """Whether the time limit ended the episode [P, E]."""
    start: Floats
    """Observations to act on next [P, E, obs]: the first of the new episode where one ended,
    else those of `observation`."""
