"""The agent protocol for algorithms that learn from a replay, one environment a member.

Order of one agent step: act, begin, [update], complete, [update]. An algorithm says how it acts and
how it learns; everything between it and the training loop stands here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.learner import Learner
from agents.members.layers import Modules, Parameters
from agents.members.replay import Replay
from agents.protocol import Probe, State, TrainedModule
from agents.spec import AgentSpec


class Algorithm(Protocol):
    """What an off-policy algorithm adds; its counts and its state are in its learner and replay."""

    learner: Learner
    """Its modules and how they learn."""
    replay: Replay
    """What it learns from."""

    @property
    def settings(self) -> AgentSpec:
        """Its settings: actions are uniform until learning starts."""

    def greedy(self, observation: Tensor, parameters: Modules) -> Tensor:
        """Actions [P, E, act] in [-1, 1] of the policy with these parameters, nothing random."""

    def explore(self, observation: Tensor, noise: Tensor) -> Tensor:
        """Exploring actions [P, E, act], from standard normal noise [P, E, act]."""

    def update(self) -> None:
        """The learning of one agent step after the warm-up."""

    def overlaps(self) -> bool:
        """Whether the next `update` reads nothing that the simulator's answer to the current agent
        step writes, on a task that never terminates."""

    def probe(self) -> Mapping[str, Probe]:
        """For each module what diagnostics look at, measured on a batch of the replay."""


def replay_of(learner: Learner, rows: int, horizon: int, min_priority: float = 1.0) -> Replay:
    """A replay of `rows` rows for the members of a learner, on its device."""
    task = learner.setup.task
    return Replay(
        learner.members,
        task.observation,
        task.action,
        rows,
        horizon,
        min_priority,
        dtype=learner.setup.dtype,
        recorder=learner.recorder,
    )


A = TypeVar("A", bound=Algorithm)


def _of_alive(action: Tensor, alive: Tensor) -> Tensor:
    """Actions [P, E, act], zero where a member is not alive [P]."""
    return torch.where(alive[:, None, None], action, 0.0)


class OffPolicy(Generic[A]):
    """P members of an algorithm (agents/protocol.py: Agent)."""

    def __init__(self, algorithm: A) -> None:
        learner = algorithm.learner
        self.algorithm = algorithm
        self.learner = learner
        self.replay = algorithm.replay
        self.setup = learner.setup
        self.settings = algorithm.settings
        self.agent_steps = 0

        # One environment a member: E = 1. Shape: [P, 1, act]
        task, dtype, device = self.setup.task, self.setup.dtype, self.setup.device
        self.random = learner.draw("explore/random", (1, task.action), "uniform")
        self.noise = learner.draw("explore/noise", (1, task.action), "normal")
        self.seen = torch.zeros((learner.members, 1, task.observation), dtype=dtype, device=device)
        """What the latest exploring action was chosen for."""
        self._explore = learner.capture(self._exploring_action)

    # -- acting --

    @torch.no_grad()
    def act(self, observation: Tensor, explore: bool) -> Tensor:
        """[P, E, obs] -> [P, E, act] in [-1, 1]; uniform while warming up, zero for failed
        members."""
        alive = self.learner.alive
        if not explore:
            return _of_alive(self._greedy(observation), alive)
        if self.agent_steps < self.settings.learning_starts:
            return _of_alive(2.0 * self.random.next() - 1.0, alive)

        # A captured step reads the observations at a fixed address.
        self.seen.copy_(observation)
        self.noise.next()
        return self._explore()

    def _greedy(self, observation: Tensor) -> Tensor:
        modules = self.learner.trained
        parameters = {name: modules[name].parameters for name in self.settings.POLICY_MODULES}
        return self.algorithm.greedy(observation, parameters)

    @torch.no_grad()
    def _exploring_action(self) -> Tensor:
        return _of_alive(self.algorithm.explore(self.seen, self.noise.now), self.learner.alive)

    def snapshot(self) -> Callable[[Tensor], Tensor]:
        """The policy as it is now: copies of the modules that acting needs."""
        parameters = dict[str, Parameters]()
        for name in self.settings.POLICY_MODULES:
            module = self.learner.trained[name]
            parameters[name] = module.layout.views(module.flat.detach().clone())
        alive = self.learner.alive.clone()

        @torch.no_grad()
        def policy(observation: Tensor) -> Tensor:
            return _of_alive(self.algorithm.greedy(observation, parameters), alive)

        return policy

    # -- an agent step --

    def begin(self, observation: Tensor, action: Tensor) -> None:
        """Writes [P, 1, obs] and [P, 1, act]."""
        self.replay.begin(observation[:, 0], action[:, 0])
        self.agent_steps += 1

    def update(self) -> None:
        """No-op during warm-up, then the algorithm's learning of one agent step."""
        if self.agent_steps > self.settings.learning_starts:
            self.algorithm.update()

    def complete(
        self,
        reward: Tensor,
        next_observation: Tensor,
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Writes reward [P, 1], the true next observation [P, 1, obs] and the flags [P, 1]."""
        self.replay.complete(
            reward[:, 0], next_observation[:, 0], terminated[:, 0], truncated[:, 0]
        )

    def overlaps(self) -> bool:
        """False where the algorithm needs the simulator's answer first, and on tasks that can
        terminate: their newest rows may become sampleable."""
        return self.algorithm.overlaps() and not self.setup.task.terminates

    # -- what the training loop asks --

    def modules(self) -> Mapping[str, TrainedModule]:
        """What sparsity, diagnostics and audits see."""
        return self.learner.modules()

    def counts(self) -> Mapping[str, int]:
        """Updates of each module so far."""
        return self.learner.counts()

    def check_finite(self) -> list[str | None]:
        """Per healthy member what is not finite any more, in words, or None."""
        return self.learner.check_finite()

    def freeze(self, member: int) -> None:
        """Freezes a failed member: its parameters stop changing and its actions are zero."""
        self.learner.freeze(member)

    def probe(self) -> Mapping[str, Probe]:
        """For each module what diagnostics look at."""
        return self.algorithm.probe()

    def state(self) -> State:
        """Everything but the replay's rows that a resumed run needs; live, not a copy."""
        return {
            "learner": self.learner.state(),
            "replay": self.replay.state(),
            "agent_steps": self.agent_steps,
        }

    def replay_rows(self, since: Sequence[int]) -> list[Tensor]:
        """For each member the replay rows from number `since` on: [n, row] each, on the CPU."""
        return self.replay.rows_since(since)

    def restore(self, state: State, rows: Sequence[Tensor]) -> None:
        """Inverse of `state` and of all `replay_rows`."""
        self.learner.restore(state["learner"])
        self.replay.restore(state["replay"], rows)
        self.agent_steps = state["agent_steps"]
