"""The agent spec: what a plan must know of an algorithm, typed and without torch.

An algorithm's settings are a frozen dataclass that also answers the questions below. Its folder
ends `spec.py` with `SPEC: type[AgentSpec] = ...`, so mypy says what a new algorithm still lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass
from typing import Any, ClassVar, Protocol, Self

from agents.members.blocks import Linear

Shapes = Mapping[str, tuple[Sequence[Linear], int]]
"""Module -> the Linear layers of one copy, and how many copies of them a member has."""
Weights = Mapping[str, Mapping[str, int]]
"""Module -> layer -> weights of one copy that are counted: all of them, or the active ones."""


@dataclass(frozen=True)
class TaskShape:
    """A task as an algorithm sees it."""

    observation: int
    """Width of one observation."""
    action: int
    """Width of one action; actions lie in [-1, 1]."""
    episode_steps: int
    """Agent steps of an episode that runs into its time limit."""
    terminates: bool
    """Whether the task can end an episode before its time limit."""


@dataclass(frozen=True)
class Memory:
    """Bytes that one member needs beside its parameters and their optimiser."""

    replay: int
    """The replay, which a checkpoint holds too."""
    drawing: int
    """Of the replay, what decides which rows are drawn: the part that no two checkpoints share."""
    updates: int
    """Activations that are alive at the peak of an update."""


class AgentSpec(Protocol):
    """Settings of an algorithm, and what a plan works out from them."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    MODULES: ClassVar[tuple[str, ...]]
    """Modules in the order in which every table and file names them."""
    POLICY_MODULES: ClassVar[tuple[str, ...]]
    """The modules that acting needs: what a re-evaluation loads."""
    BLOCKS: ClassVar[Mapping[str, str]]
    """Module -> block type, where a suite states no other."""

    @property
    def width(self) -> int:
        """Units of a hidden layer."""

    @property
    def learning_starts(self) -> int:
        """Agent steps before the first update."""

    @property
    def rewire_multiple(self) -> int:
        """Rewire intervals are multiples of this number of updates."""

    def shapes(self, task: TaskShape) -> Shapes:
        """The Linear layers of every module."""

    def updates(self, agent_steps: int) -> dict[str, int]:
        """Module -> updates after `agent_steps` agent steps."""

    def flops(self, weights: Weights) -> float:
        """Floating-point operations of one agent step's learning, where these weights count."""

    def memory(self, task: TaskShape, agent_steps: int) -> Memory:
        """What one member of a run of `agent_steps` agent steps needs."""

    def scaled(self, width: int, depth: int) -> Self:
        """Larger networks: every width times `width`, every MLP's hidden layers times `depth`."""

    def with_width(self, width: int) -> Self:
        """Hidden layers of `width` units, everything else in proportion."""

    def rehearsal(self) -> Self:
        """Settings for timing: every agent step costs the same, networks have at most the
        default size."""

    def shortened(self, agent_steps: int, share: float, cycles: int) -> Self:
        """Settings for a run that was cut down to `agent_steps` agent steps, `share` of its
        length: learning still starts, and keeps `cycles` rewire multiples if it can."""

    @classmethod
    def smallest(cls) -> Self:
        """Small networks and short cycles that touch everything: what the canary trains."""
