"""The agent protocol: what the training loop needs of any algorithm, ours or from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.members.module import Module
from agents.sparsity.masks import Masks
from agents.sparsity.regime import Regime

Streams = Callable[[int, str], torch.Generator]
"""(member, word) -> that member's generator for the word, on the CPU."""


@dataclass(frozen=True)
class Setup:
    """Everything an agent is built from."""

    observation: int
    """Width of one observation."""
    action: int
    """Width of one action; actions lie in [-1, 1]."""
    agent_steps: int
    """Agent steps in the whole run."""
    episode_steps: int
    """Agent steps of an episode that runs into its time limit."""
    terminates: bool
    """Whether the task can end an episode before its time limit."""
    blocks: Mapping[str, str]
    """Block type of each module, T1 to T6, and the kind of `residual`."""
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
    """Whether steps are recorded where the device can (agents/members/recording.py);
    without it they run operation by operation."""


@dataclass(frozen=True)
class TrainedModule:
    """One module as sparsity, diagnostics and audits see it."""

    parameters: Module
    masks: Masks


@dataclass(frozen=True)
class Probe:
    """One module of all members on a batch of the replay."""

    features: Tensor
    """[P, copies, B, d], what the module hands on: an embedding, or the layer before the head."""
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
        """Actions [P, E, act] in [-1, 1] for observations [P, E, obs], good until the next call. Without `explore` nothing
        random is drawn."""

    def snapshot(self) -> Callable[[Tensor], Tensor]:
        """The policy as it is now, without exploration; learning that goes on does not change it."""

    def begin(self, observation: Tensor, action: Tensor) -> None:
        """An agent step starts: [P, E, obs], [P, E, act]."""

    def update(self) -> None:
        """The learning that belongs to one agent step."""

    def complete(
        self,
        reward: Tensor,
        next_observation: Tensor,
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """The simulator's answer: reward [P, E], true next observation [P, E, obs], flags [P, E]."""

    def overlaps(self) -> bool:
        """Whether `update` of this agent step may run between `begin` and `complete`."""

    def modules(self) -> Mapping[str, TrainedModule]:
        """`encoder`, `critic`, `actor`."""

    def counts(self) -> Mapping[str, int]:
        """Updates of each module so far."""

    def check_finite(self) -> list[str | None]:
        """Per member, what is not finite any more, or None. Reads from the device."""

    def freeze(self, member: int) -> None:
        """A failed member: nothing of it is written any more and its actions are zero."""

    def probe(self) -> Mapping[str, Probe]:
        """For each module what diagnostics look at, measured on a batch of the replay."""

    def state(self) -> dict[str, Any]:
        """Everything but the replay's rows, generators included: nested dicts of tensors, numbers, text, lists and None.
        Tensors are the agent's own: they change as it goes on."""

    def replay_rows(self, since: Sequence[int]) -> list[Tensor]:
        """For each member the replay rows from number `since` on: [n, row] each, on the CPU."""

    def restore(self, state: dict[str, Any], rows: Sequence[Tensor]) -> None:
        """Inverse of `state` and of all `replay_rows`."""


class AgentKind(Protocol):
    """What the catalogue holds for each algorithm.

    Its settings have `width`, `depth`, `batch_size`, `buffer_size`, `warmup`, `target_cycle`, `updates(agent_steps)`,
    `rehearsal()`, `scaled(width, depth, za)` and `with_width(width)`.
    """

    def __call__(self, setup: Setup, settings: Any) -> Agent:
        """Build P members."""
