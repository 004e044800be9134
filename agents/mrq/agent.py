"""MR.Q on the member axis: P members, one environment each, trained as one program.

The update may run while the simulator works, except on the steps that copy targets: those read the
newest reward for the reward scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.learner import Learner
from agents.members.layers import Modules
from agents.members.module import AdamWSettings
from agents.mrq import losses
from agents.mrq.networks import Networks
from agents.mrq.probe import PROBE_BATCH, PROBE_ROWS, probe
from agents.mrq.spec import MRQSpec
from agents.mrq.updates import Scales, actor_loss, encoder_loss, td_target
from agents.off_policy import OffPolicy, replay_of
from agents.protocol import AgentBuilder, Probe, Setup


@dataclass(frozen=True)
class Batch:
    """What the latest critic update learned from, for the actor and the priorities."""

    index: Tensor
    """Rows of the replay [P, B]."""
    zs: Tensor
    """Their embedded states [P, B, zs]."""
    target: Tensor
    """The critic's target [P, B]."""
    q: Tensor
    """Both Q networks before the update [P, 2, B]."""


class MRQ:
    """MR.Q's learning and acting (agents/off_policy.py: Algorithm)."""

    def __init__(self, setup: Setup, settings: MRQSpec) -> None:
        self.settings = settings
        self.batch: Batch

        # Networks, and what trains them
        blocks = {module: setup.block(module) for module in settings.MODULES}
        self.networks = Networks(settings, blocks, setup.dtype, setup.products, setup.device)
        self.learner = learner = Learner(setup, settings, _optimisers(settings))
        self.online = learner.online
        self.target = learner.target

        # Experience and random draws
        rows = settings.replay_rows(setup.task, setup.agent_steps)
        self.replay = replay_of(learner, rows, settings.horizon, settings.min_priority)
        batch, action = settings.batch_size, setup.task.action
        self.encoder_rows = learner.draw("replay/encoder", (batch,), "uniform", torch.float64)
        self.rl_rows = learner.draw("replay/rl", (batch,), "uniform", torch.float64)
        self.target_noise = learner.draw("target-noise", (batch, action), "normal")
        self.probe_rows = learner.draw("probe", (PROBE_BATCH,), "uniform", torch.float64)
        self.probe_noise = learner.draw("probe-noise", (PROBE_ROWS, action), "normal")

        # Rewards: their scale now and at the last target copy, and the bins of their prediction
        self.scales = Scales(
            learner.tensor("reward_scale", 1.0), learner.tensor("target_reward_scale", 0.0)
        )
        self.bins = losses.symexp_bins(
            settings.reward_bound, settings.reward_bins, setup.dtype, setup.device
        )

        # Steps that a GPU captures once and replays
        self._learn_encoder = learner.capture(self._encoder_update)
        self._learn_critic = learner.capture(self._critic_update)
        self._learn_actor = learner.capture(self._actor_update)

    # -- acting --

    def greedy(self, observation: Tensor, parameters: Modules) -> Tensor:
        """tanh policy on the embedded state: [P, E, obs] -> [P, E, act]."""
        zs = self.networks.state_embedding(observation, parameters["encoder"])
        return self.networks.policy(zs, parameters["actor"])[0]

    def explore(self, observation: Tensor, noise: Tensor) -> Tensor:
        """The greedy action plus scaled normal noise, clipped to [-1, 1]."""
        action = self.greedy(observation, self.online)
        return (action + noise * self.settings.exploration_noise).clamp(-1.0, 1.0)

    # -- learning --

    def overlaps(self) -> bool:
        """False on steps that copy targets: they need the newest reward."""
        return not self._cycle_starts()

    def _cycle_starts(self) -> bool:
        """Whether the next update is the first of a target cycle."""
        return self.learner.counts()["critic"] % self.settings.target_cycle == 0

    def update(self) -> None:
        """One critic and one actor update; every `target_cycle` updates, first copies targets and
        runs `target_cycle` encoder updates."""
        if self._cycle_starts():
            self._start_cycle()

        # The actor learns on the critic's batch.
        self.rl_rows.next()
        self.target_noise.next()
        gradient, self.batch = self._learn_critic()
        self.learner.updated("critic", gradient)
        self.learner.updated("actor", self._learn_actor())

    def _start_cycle(self) -> None:
        """Copies targets with the reward scale that they were trained with, then learns a block of
        encoder updates."""
        self.learner.copy_targets()
        self.scales.target_reward.copy_(self.scales.reward)
        self.scales.reward.copy_(self.replay.reward_scale())
        for _ in range(self.settings.target_cycle):
            self.encoder_rows.next()
            self.learner.updated("encoder", self._learn_encoder())

    def encoder_loss(self, index: Tensor) -> Tensor:
        """The encoder's loss on sub-trajectories at rows [P, B]: [P]."""
        return encoder_loss(
            self.networks,
            self.online["encoder"],
            self.target["encoder"],
            self.replay.windows(index, self.settings.encoder_horizon),
            self.replay.terminates,
            self.bins,
            self.settings,
        )

    def _encoder_update(self) -> Tensor:
        index = self.replay.sample(self.encoder_rows.now)
        return self.learner.learn("encoder", self.encoder_loss(index))

    def _critic_update(self) -> tuple[Tensor, Batch]:
        index = self.replay.sample(self.rl_rows.now)
        window = self.replay.windows(index, self.settings.q_horizon)
        noise = self.target_noise.now
        target = td_target(
            self.networks, self.online, self.target, window, noise, self.scales, self.settings
        )

        # Each sample's loss, then the mean within a member. Shape: [P, B] -> [P]
        q = self.networks.q_values(target.zsa, self.online["critic"])
        loss = losses.critic_loss(q, target.value).mean(1)
        gradient = self.learner.learn("critic", loss)
        return gradient, Batch(index, target.zs, target.value, q.detach())

    def _actor_update(self) -> Tensor:
        """On the batch of the critic's update, whose rows get their new priorities."""
        settings, batch = self.settings, self.batch
        loss, q = actor_loss(self.networks, self.online, batch.zs, settings)
        gradient = self.learner.learn("actor", loss.mean(1))

        # LAP priorities from the errors of the actions taken, or of the policy's own.
        q_values = batch.q if settings.lap_q == "taken" else q.detach()
        priority = losses.lap_priority(
            q_values, batch.target, settings.min_priority, settings.priority_exponent
        )
        self.replay.update_priority(batch.index, priority)
        return gradient

    # -- what the training loop asks --

    def probe(self) -> Mapping[str, Probe]:
        """Every module on rows that the probe's own stream draws; nothing that learns changes.

        Rows are drawn evenly. By priority they would be those that a critic predicts badly, other
        ones under every regime.
        """
        index = self.replay.lap.sample_evenly(self.probe_rows.next())

        # Units and gradients are measured on the first rows.
        rows = index[:, :PROBE_ROWS]
        target = td_target(
            self.networks,
            self.online,
            self.target,
            self.replay.windows(rows, self.settings.q_horizon),
            self.probe_noise.next(),
            self.scales,
            self.settings,
        )

        # Features need one step of every row.
        windows = self.replay.windows(index, 1)
        loss = self.encoder_loss(rows)
        return probe(self.learner.trained, self.networks, windows, target, loss, self.settings)


def _optimisers(settings: MRQSpec) -> dict[str, AdamWSettings]:
    decay = settings.weight_decay
    return {
        "encoder": AdamWSettings(settings.encoder_lr, decay),
        "critic": AdamWSettings(settings.critic_lr, decay, settings.critic_clip),
        "actor": AdamWSettings(settings.actor_lr, decay),
    }


def build(setup: Setup, settings: MRQSpec) -> OffPolicy[MRQ]:
    """P members of MR.Q."""
    return OffPolicy(MRQ(setup, settings))


BUILD: AgentBuilder[MRQSpec] = build
