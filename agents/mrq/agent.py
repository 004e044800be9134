"""MR.Q on the member axis: P members, one environment each, trained as one program.

Order of one agent step: act, begin, [update], complete, [update]. The update may run while the simulator works, except on
the steps that copy targets: those read the newest reward for the reward scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.members.blocks import block_type
from agents.members.draws import Draws
from agents.members.layers import Parameters
from agents.members.module import AdamWSettings, Module
from agents.members.recording import Recorder
from agents.members.replay import Replay
from agents.mrq import losses
from agents.mrq.networks import Networks
from agents.mrq.probe import PROBE_BATCH, PROBE_ROWS, probe
from agents.mrq.settings import MRQSettings
from agents.mrq.spec import module_shapes
from agents.protocol import Probe, Setup, TrainedModule
from agents.sparsity.masks import Masks
from agents.sparsity.regime import MODULES


@dataclass(frozen=True)
class Batch:
    """What an RL update learned its critic from."""

    index: Tensor
    """Rows of the replay [P, B]."""
    zs: Tensor
    """Their embedded states [P, B, zs]."""
    target: Tensor
    """The critic's target [P, B]."""
    q: Tensor
    """Both Q networks before the update [P, 2, B]."""


class MRQ:
    """P members of MR.Q."""

    def __init__(self, setup: Setup, settings: MRQSettings, always_mask: bool = False) -> None:
        """`always_mask` sends dense modules through the masked path too: a test proves that it changes nothing."""
        s = self.settings = settings
        self.setup = setup
        self.members = len(setup.regimes)
        residual = cast(Literal["pre", "post"], setup.blocks.get("residual", "pre"))
        blocks = {module: block_type(setup.blocks[module], residual) for module in MODULES}
        self.networks = Networks(s, blocks, setup.dtype, setup.products, setup.device)
        optimisers = {
            "encoder": AdamWSettings(s.encoder_lr, s.weight_decay),
            "critic": AdamWSettings(s.critic_lr, s.weight_decay, s.critic_clip),
            "actor": AdamWSettings(s.actor_lr, s.weight_decay),
        }
        self.parts = {
            name: Module(
                linears,
                self._generators(f"init/{name}"),
                optimisers[name],
                copies,
                setup.dtype,
                setup.device,
            )
            for name, (linears, copies) in module_shapes(s, setup.observation, setup.action).items()
        }
        self.encoder, self.critic, self.actor = (self.parts[name] for name in MODULES)
        self.masks = self._draw_masks(always_mask)
        for module in self.parts.values():
            module.copy_to_target()
        self.recorder = Recorder(setup.device, setup.record)
        self.replay = Replay(
            self.members,
            setup.observation,
            setup.action,
            self._capacity(),
            s.horizon,
            s.min_priority,
            dtype=setup.dtype,
            recorder=self.recorder,
        )
        self.draws = self._draws()
        self.bins = losses.symexp_bins(s.reward_bound, s.reward_bins, setup.dtype, setup.device)
        self.reward_scale = torch.ones(self.members, dtype=setup.dtype, device=setup.device)
        self.target_reward_scale = torch.zeros_like(self.reward_scale)
        self.finite = {
            name: torch.ones(self.members, dtype=torch.bool, device=setup.device)
            for name in MODULES
        }
        self.healthy = [True] * self.members
        self.alive = torch.ones(self.members, dtype=torch.bool, device=setup.device)
        """`healthy`, on the device."""
        self.agent_steps = 0
        self.rl_updates = 0
        self.seen = torch.zeros(
            (self.members, 1, setup.observation), dtype=setup.dtype, device=setup.device
        )
        """What the latest exploring action was chosen for."""
        self.batch: Batch
        """Of the latest critic update."""
        self._explore = self.recorder.step(self._exploring_action)
        self._learn_encoder = self.recorder.step(self._encoder_update)
        self._learn_critic = self.recorder.step(self._critic_update)
        self._learn_actor = self.recorder.step(self._actor_update)

    # -- construction --

    def _generators(self, word: str) -> list[torch.Generator]:
        return [self.setup.streams(member, word) for member in range(self.members)]

    def _draw_masks(self, always_mask: bool) -> dict[str, Masks]:
        totals = self.settings.updates(self.setup.agent_steps)
        return {
            name: Masks(
                module,
                [regime[name] for regime in self.setup.regimes],
                self._generators(f"mask/{name}"),
                self._generators(f"rewire/{name}"),
                totals[name],
                always_mask,
            )
            for name, module in self.parts.items()
        }

    def _capacity(self) -> int:
        """Rows that the budget needs (one more an episode for its last observation), at most the buffer's size."""
        steps, s = self.setup.agent_steps, self.settings
        if self.setup.terminates:
            return min(s.buffer_size, 2 * steps + 2 * s.horizon)
        return min(s.buffer_size, steps + steps // self.setup.episode_steps + 2 * s.horizon)

    def _draws(self) -> dict[str, Draws]:
        s, action = self.settings, self.setup.action
        shapes: dict[str, tuple[tuple[int, ...], Literal["uniform", "normal"], torch.dtype]] = {
            "explore/random": ((1, action), "uniform", self.setup.dtype),
            "explore/noise": ((1, action), "normal", self.setup.dtype),
            "replay/encoder": ((s.batch_size,), "uniform", torch.float64),
            "replay/rl": ((s.batch_size,), "uniform", torch.float64),
            "target-noise": ((s.batch_size, action), "normal", self.setup.dtype),
            "probe": ((PROBE_BATCH,), "uniform", torch.float64),
            "probe-noise": ((PROBE_ROWS, action), "normal", self.setup.dtype),
        }
        device = torch.device(self.setup.device)
        ahead = device.type == "cuda"  # the host is idle while the device learns
        return {
            word: Draws(self._generators(word), *kind, device, ahead)
            for word, kind in shapes.items()
        }

    # -- the protocol --

    @torch.no_grad()
    def act(self, observation: Tensor, explore: bool) -> Tensor:
        """[P, E, obs] -> [P, E, act] in [-1, 1]; uniform while warming up, zero for failed members."""
        if not explore:
            return self._greedy(
                observation, self.encoder.parameters, self.actor.parameters, self.alive
            )
        if self.agent_steps < self.settings.warmup:
            return self._of_healthy(2.0 * self.draws["explore/random"].next() - 1.0, self.alive)
        self.seen.copy_(observation)
        self.draws["explore/noise"].next()
        return self._explore()

    def _greedy(
        self, observation: Tensor, encoder: Parameters, actor: Parameters, alive: Tensor
    ) -> Tensor:
        zs = self.networks.state_embedding(observation, encoder)
        return self._of_healthy(self.networks.policy(zs, actor)[0], alive)

    @torch.no_grad()
    def _exploring_action(self) -> Tensor:
        action = self._greedy(self.seen, self.encoder.parameters, self.actor.parameters, self.alive)
        noise = self.draws["explore/noise"].now * self.settings.exploration_noise
        return self._of_healthy((action + noise).clamp(-1.0, 1.0), self.alive)

    @staticmethod
    def _of_healthy(action: Tensor, alive: Tensor) -> Tensor:
        """Actions [P, E, act], zero where `alive` [P] is not."""
        return torch.where(alive[:, None, None], action, 0.0)

    def snapshot(self) -> Callable[[Tensor], Tensor]:
        """The policy as it is now: copies of encoder and actor."""
        encoder, actor = (
            part.layout.views(part.flat.detach().clone()) for part in (self.encoder, self.actor)
        )
        alive = self.alive.clone()

        @torch.no_grad()
        def policy(observation: Tensor) -> Tensor:
            return self._greedy(observation, encoder, actor, alive)

        return policy

    def begin(self, observation: Tensor, action: Tensor) -> None:
        """Write [P, 1, obs] and [P, 1, act]."""
        self.replay.begin(observation[:, 0], action[:, 0])
        self.agent_steps += 1

    def complete(
        self,
        reward: Tensor,
        next_observation: Tensor,
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None:
        """Write reward [P, 1] and the true next observation [P, 1, obs]."""
        self.replay.complete(
            reward[:, 0], next_observation[:, 0], terminated[:, 0], truncated[:, 0]
        )

    def overlaps(self) -> bool:
        """Exact except on target copies, and on tasks whose newest transitions become sampleable by terminating."""
        return self.rl_updates % self.settings.target_cycle != 0 and not self.setup.terminates

    def update(self) -> None:
        """Nothing while warming up; then one RL update, and before every `target_cycle`-th a block for the encoder."""
        if self.agent_steps <= self.settings.warmup:
            return
        if self.rl_updates % self.settings.target_cycle == 0:
            self._start_cycle()
        self.draws["replay/rl"].next()
        self.draws["target-noise"].next()
        gradient, self.batch = self._learn_critic()
        self._updated("critic", gradient)
        self._updated("actor", self._learn_actor())
        self.rl_updates += 1

    def modules(self) -> Mapping[str, TrainedModule]:
        """What sparsity, diagnostics and audits see."""
        return {
            name: TrainedModule(module, self.masks[name]) for name, module in self.parts.items()
        }

    def counts(self) -> Mapping[str, int]:
        """Updates of each module so far."""
        return {name: module.updates for name, module in self.parts.items()}

    # -- learning --

    def _start_cycle(self) -> None:
        for module in self.parts.values():
            module.copy_to_target()
        self.target_reward_scale.copy_(self.reward_scale)
        self.reward_scale.copy_(self.replay.reward_scale())
        for _ in range(self.settings.target_cycle):
            self.draws["replay/encoder"].next()
            self._updated("encoder", self._learn_encoder())

    def encoder_loss(self, index: Tensor) -> Tensor:
        """Unrolled dynamics, reward and termination losses of sub-trajectories at rows [P, B]: [P]."""
        s, networks, parameters = self.settings, self.networks, self.encoder.parameters
        observation, action, reward, not_done = self.replay.windows(index, s.encoder_horizon)
        with torch.no_grad():
            target = networks.state_embedding(
                observation[:, 1:].flatten(1, 2), self.encoder.target_parameters
            )
        states, rest = networks.unrolled(
            networks.state_embedding(observation[:, 0], parameters), action, parameters
        )
        alive = losses.alive_before(not_done)
        dynamics = losses.dynamics_loss(states, target, alive.flatten(1))
        rewards = losses.reward_loss(rest[..., 1:], reward.flatten(1), alive.flatten(1), self.bins)
        dones = (
            losses.done_loss(rest[..., 0], not_done.flatten(1), alive.flatten(1))
            * self.replay.terminates
        )
        mean = s.dynamics_weight * dynamics + s.reward_weight * rewards + s.done_weight * dones
        return mean * s.encoder_horizon

    def _encoder_update(self) -> Tensor:
        return self._learn(
            "encoder", self.encoder_loss(self.replay.sample(self.draws["replay/encoder"].now))
        )

    def _critic_update(self) -> tuple[Tensor, Batch]:
        index = self.replay.sample(self.draws["replay/rl"].now)
        zs, zsa, target = self.td_target(index, self.draws["target-noise"].now)
        q = self.networks.q_values(zsa, self.critic.parameters)
        gradient = self._learn("critic", losses.critic_loss(q, target).mean(1))
        return gradient, Batch(index, zs, target, q.detach())

    def _actor_update(self) -> Tensor:
        """On the batch of the critic's update, whose rows get their priorities."""
        s, batch, networks = self.settings, self.batch, self.networks
        action, pre_activation = networks.policy(batch.zs, self.actor.parameters)
        zsa = networks.joint_embedding(batch.zs, action, self.encoder.parameters)
        q = networks.q_values(zsa, self.critic.parameters)
        gradient = self._learn(
            "actor", losses.actor_loss(q, pre_activation, s.pre_activation_weight).mean(1)
        )
        used = batch.q if s.lap_q == "taken" else q.detach()
        priority = losses.lap_priority(used, batch.target, s.min_priority, s.priority_exponent)
        self.replay.update_priority(batch.index, priority)
        return gradient

    @torch.no_grad()
    def td_target(self, index: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """At rows [P, B], with standard normal noise [P, B, act]: embeddings zs and zsa of what was seen and done, the critic's
        target [P, B]."""
        s, networks = self.settings, self.networks
        encoder, target_encoder = self.encoder.parameters, self.encoder.target_parameters
        observation, action, reward, not_done = self.replay.windows(index, s.q_horizon)
        reward, discount = losses.multi_step_return(reward, not_done, s.discount)
        next_zs = networks.state_embedding(observation[:, -1], target_encoder)
        smooth = (noise * s.target_noise).clamp(-s.target_noise_clip, s.target_noise_clip)
        next_action = (networks.policy(next_zs, self.actor.target_parameters)[0] + smooth).clamp(
            -1.0, 1.0
        )
        next_zsa = networks.joint_embedding(next_zs, next_action, target_encoder)
        next_q = networks.q_values(next_zsa, self.critic.target_parameters)
        target = losses.q_target(
            reward, discount, next_q, self.reward_scale, self.target_reward_scale
        )
        zs = networks.state_embedding(observation[:, 0], encoder)
        return zs, networks.joint_embedding(zs, action[:, 0], encoder), target

    def _learn(self, name: str, loss: Tensor) -> Tensor:
        """One optimiser step of a module on its own loss [P]; returns the dense gradient [size]."""
        self.finite[name] &= loss.detach().isfinite()
        gradient = self.parts[name].gradients(loss)
        self.parts[name].step(gradient)
        return gradient

    def _updated(self, name: str, gradient: Tensor) -> None:
        """Count an update of a module, and rewire where that is due."""
        module, masks = self.parts[name], self.masks[name]
        module.updates += 1
        if masks.due(module.updates):
            masks.rewire(gradient, self.healthy)

    # -- health, diagnostics, state --

    def check_finite(self) -> list[str | None]:
        """Per healthy member the first module whose loss or parameters are not finite, in words, or None."""
        reasons: list[str | None] = [None] * self.members
        for name, module in self.modules().items():
            stack = module.parameters
            sums = stack.layout.per_group(stack.flat.detach(), lambda view: view.sum(1))
            good = sums.isfinite().view(self.members, stack.copies).all(1) & self.finite[name]
            for member, fine in enumerate(good.tolist()):
                if self.healthy[member] and not fine and reasons[member] is None:
                    reasons[member] = (
                        f"{name}: loss or parameters are not finite after update {stack.updates}"
                    )
        return reasons

    def freeze(self, member: int) -> None:
        """Stop writing a failed member; the others go on."""
        self.healthy[member] = False
        self.alive[member] = False
        for module in self.parts.values():
            module.freeze([m for m in range(self.members) if not self.healthy[m]])
        self.recorder.forget()

    def probe(self) -> Mapping[str, Probe]:
        """What diagnostics look at (agents/mrq/probe.py)."""
        return probe(self)

    def state(self) -> dict[str, Any]:
        """Everything but the replay's rows that a resumed run needs to go on as if it had not stopped; live, not a copy."""
        return {
            "modules": {name: module.parameters.state() for name, module in self.modules().items()},
            "masks": {name: masks.state() for name, masks in self.masks.items()},
            "replay": self.replay.state(),
            "draws": {word: draws.state() for word, draws in self.draws.items()},
            "finite": dict(self.finite),
            "reward_scale": self.reward_scale,
            "target_reward_scale": self.target_reward_scale,
            "healthy": list(self.healthy),
            "agent_steps": self.agent_steps,
            "rl_updates": self.rl_updates,
        }

    def replay_rows(self, since: Sequence[int]) -> list[Tensor]:
        """For each member the replay rows from number `since` on: [n, row] each, on the CPU."""
        return self.replay.rows_since(since)

    def restore(self, state: dict[str, Any], rows: Sequence[Tensor]) -> None:
        """Inverse of `state` and of all `replay_rows`."""
        for name, module in self.modules().items():
            module.parameters.restore(state["modules"][name])
            module.masks.restore(state["masks"][name])
        self.replay.restore(state["replay"], rows)
        for word, draws in self.draws.items():
            draws.restore(state["draws"][word])
        for name, flags in state["finite"].items():
            self.finite[name].copy_(flags)
        self.reward_scale.copy_(state["reward_scale"])
        self.target_reward_scale.copy_(state["target_reward_scale"])
        self.agent_steps, self.rl_updates = state["agent_steps"], state["rl_updates"]
        for member in [m for m, fine in enumerate(state["healthy"]) if not fine]:
            self.freeze(member)
