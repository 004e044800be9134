"""The words of an environment that learning code may know: what a task is, and what a step returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Task:
    """One dm_control task as EnvPool offers it."""

    name: str
    """`domain-task` in dm_control's words, as in `dog-run`."""
    domain: str
    """dm_control domain."""
    task: str
    """dm_control task."""
    observation: tuple[tuple[str, int], ...]
    """Observation keys and widths, in dm_control's order. EnvPool's other keys are left out."""
    action: int
    """Width of an action in [-1, 1]."""
    substeps: int
    """Physics steps of one environment step."""
    horizon: int = 1000
    """Environment steps of an episode that runs into its time limit."""
    terminates: bool = False
    """Whether an episode can end before its time limit."""
    differs: str = ""
    """How EnvPool's task is not dm_control's, or empty where they agree."""
    reference: tuple[float, float] | None = None
    """Mean and standard deviation of MR.Q's released final returns at 500,000 agent steps (`tasks.REFERENCE`)."""

    @property
    def observation_size(self) -> int:
        """Width of one observation."""
        return sum(width for _, width in self.observation)

    @property
    def env_id(self) -> str:
        """EnvPool's id: domain and task in CamelCase on `_`."""
        words = f"{self.domain}_{self.task}".split("_")
        return "".join(word[:1].upper() + word[1:] for word in words) + "-v1"


@dataclass(frozen=True)
class Step:
    """What one agent step of N environments returned."""

    observation: Floats
    """True next observations [N, obs], also at an episode's end."""
    reward: Floats
    """Rewards summed over the repeated environment steps [N]."""
    terminated: Flags
    """Whether the task ended the episode [N]."""
    truncated: Flags
    """Whether the time limit ended the episode [N]."""
    start: Floats
    """Observations to act on next [N, obs]: the new episode's first where one ended, else `observation`."""
