"""The agent protocol: what the training loop asks of any algorithm, ours or from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.members.blocks import RESIDUALS, BlockType, block_type
from agents.members.module import Module
from agents.sparsity.masks import Masks
from agents.sparsity.regime import Regime
from agents.spec import AgentSpec, TaskShape

State = dict[str, Any]
"""What a checkpoint holds of something: nested dicts of tensors, numbers, text, lists and None."""
Streams = Callable[[int, str], torch.Generator]
"""(member, word) -> that member's generator for the word, on the CPU."""


@dataclass(frozen=True)
class Setup:
    """Everything an agent is built from."""

    task: TaskShape
    """Widths, episode length and whether episodes can terminate."""
    agent_steps: int
    """Agent steps in the whole run."""
    blocks: Mapping[str, str]
    """Block type of each module, T1 to T6, and settings of RESIDUALS that are not the defaults."""
    regimes: Sequence[Regime]
    """One regime for each member."""
    streams: Streams
    """Random streams by member and word."""
    device: str = "cpu"
    """Torch device."""
    dtype: torch.dtype = torch.float32
    """Precision of parameters, replay and arithmetic."""
    products: torch.dtype | None = None
    """Type that matrix products are cast to, or None: `dtype`."""
    record: bool = True
    """Whether steps are captured where the device can (agents/members/recording.py); otherwise
    they run operation by operation."""

    def block(self, module: str) -> BlockType:
        """How the hidden layers of a module are built."""
        residuals = {key: value for key, value in self.blocks.items() if key in RESIDUALS}
        return block_type(self.blocks[module], residuals)


@dataclass(frozen=True)
class TrainedModule:
    """One module as sparsity, diagnostics and audits see it."""

    parameters: Module
    masks: Masks


@dataclass(frozen=True)
class Probe:
    """One module of all members on a batch of its experience."""

    features: Tensor
    """[P, copies, B, d], the module's output features: an embedding, or the input of its head."""
    pre_activations: Sequence[Tensor]
    """[P, copies, b, units] of each hidden layer, on the first rows of the batch."""
    activations: Sequence[Tensor]
    """The same after norm and activation, before any shortcut is added."""
    gradient_norm: Tensor
    """[P], L2 norm of the masked gradient of the module's own loss on b rows."""
    cosines: Tensor | None = None
    """[P, copies, n, n], between gradients of n single samples; None where that is not measured."""


class Agent(Protocol):
    """P members that learn together. E is environments per member: 1 for off-policy agents."""

    def act(self, observation: Tensor, explore: bool) -> Tensor:
        """Actions [P, E, act] in [-1, 1] for observations [P, E, obs], valid until the next call.

        Without `explore` nothing random is drawn.
        """

    def snapshot(self) -> Callable[[Tensor], Tensor]:
        """The policy as it is now, without exploration; later learning does not change it."""

    def begin(self, observation: Tensor, action: Tensor) -> None:
        """Starts an agent step: [P, E, obs], [P, E, act]."""

    def update(self) -> None:
        """The learning that belongs to one agent step."""

    def complete(
        self,
        reward: Tensor,
        next_observation: Tensor,
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Takes the simulator's answer: reward [P, E], true next observation [P, E, obs], flags
        [P, E]."""

    def overlaps(self) -> bool:
        """Whether `update` of this agent step may run between `begin` and `complete`."""

    def modules(self) -> Mapping[str, TrainedModule]:
        """The modules of the algorithm's spec, in its order."""

    def counts(self) -> Mapping[str, int]:
        """Updates of each module so far."""

    def check_finite(self) -> list[str | None]:
        """Per member, what is not finite any more, or None. Waits for the device."""

    def freeze(self, member: int) -> None:
        """Freezes a failed member: its parameters stop changing and its actions are zero."""

    def probe(self) -> Mapping[str, Probe]:
        """For each module what diagnostics look at, measured on recent experience."""

    def state(self) -> State:
        """Everything but the replay's rows, generators included. Tensors are live: they change
        with further learning."""

    def replay_rows(self, since: Sequence[int]) -> list[Tensor]:
        """For each member the replay rows from number `since` on: [n, row] each, on the CPU."""

    def restore(self, state: State, rows: Sequence[Tensor]) -> None:
        """Inverse of `state` and of all `replay_rows`."""


Settings = TypeVar("Settings", bound=AgentSpec, contravariant=True)


class AgentBuilder(Protocol[Settings]):
    """What the catalogue names for each algorithm."""

    def __call__(self, setup: Setup, settings: Settings) -> Agent:
        """Builds P members."""
