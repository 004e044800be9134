"""MR.Q's updates as functions of tensors: what the agent learns from and what the probe measures.

B rows of the replay are learned from at a time; H is the encoder's horizon. Equations and their
weights: arXiv 2501.16142.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.members.layers import Modules, Parameters
from agents.members.replay import Window
from agents.mrq import losses
from agents.mrq.networks import Networks
from agents.mrq.settings import MRQSettings


@dataclass(frozen=True)
class Scales:
    """What rewards are divided by."""

    reward: Tensor
    """Mean |reward| of the replay at the latest target copy: [P]."""
    target_reward: Tensor
    """The one before, which the target networks were trained with: [P]."""


@dataclass(frozen=True)
class Target:
    """What a critic update learns from."""

    zs: Tensor
    """Embedded states [P, B, zs]."""
    zsa: Tensor
    """Embedded states and actions taken [P, B, zsa]."""
    value: Tensor
    """The critic's target [P, B]."""


def encoder_loss(
    networks: Networks,
    encoder: Parameters,
    target_encoder: Parameters,
    window: Window,
    terminates: Tensor,
    bins: Tensor,
    settings: MRQSettings,
) -> Tensor:
    """Unrolled dynamics, reward and termination losses: [P].

    `terminates` [P]: whether a member's task has ever terminated; the termination loss counts only
    then. `bins`: of the two-hot reward.
    """
    observation, action, reward, not_done = window

    # Target embeddings of every later state. Shape: [P, H B, zs]
    with torch.no_grad():
        target = networks.state_embedding(observation[:, 1:].flatten(1, 2), target_encoder)

    # The model, unrolled from the first state along the actions
    first = networks.state_embedding(observation[:, 0], encoder)
    states, rest = networks.unrolled(first, action, encoder)
    done, reward_logits = rest[..., 0], rest[..., 1:]

    # Steps after a termination do not count. Shape: [P, H, B] -> [P, H B]
    alive = losses.alive_before(not_done).flatten(1)
    dynamics = losses.dynamics_loss(states, target, alive)
    rewards = losses.reward_loss(reward_logits, reward.flatten(1), alive, bins)
    dones = losses.done_loss(done, not_done.flatten(1), alive) * terminates

    # The paper sums over the horizon; the losses above are means over it
    mean = (
        settings.dynamics_weight * dynamics
        + settings.reward_weight * rewards
        + settings.done_weight * dones
    )
    return mean * settings.encoder_horizon


@torch.no_grad()
def td_target(
    networks: Networks,
    online: Modules,
    target: Modules,
    window: Window,
    noise: Tensor,
    scales: Scales,
    settings: MRQSettings,
) -> Target:
    """The critic's target and the embeddings that it is a target for.

    `noise`: standard normal [P, B, act], for target policy smoothing.
    """
    observation, action, reward, not_done = window
    reward, discount = losses.multi_step_return(reward, not_done, settings.discount)

    # Smoothed action of the target policy at the last state
    next_zs = networks.state_embedding(observation[:, -1], target["encoder"])
    bound = settings.target_noise_clip
    smooth = (noise * settings.target_noise).clamp(-bound, bound)
    next_action, _ = networks.policy(next_zs, target["actor"])
    next_action = (next_action + smooth).clamp(-1.0, 1.0)

    # Its value, by the smaller of the target twins. Shape: [P, 2, B] -> [P, B]
    next_zsa = networks.joint_embedding(next_zs, next_action, target["encoder"])
    next_q = networks.q_values(next_zsa, target["critic"])
    value = losses.q_target(reward, discount, next_q, scales.reward, scales.target_reward)

    # What was seen and done, embedded by the online encoder
    zs = networks.state_embedding(observation[:, 0], online["encoder"])
    return Target(zs, networks.joint_embedding(zs, action[:, 0], online["encoder"]), value)


def actor_loss(
    networks: Networks, online: Modules, zs: Tensor, settings: MRQSettings
) -> tuple[Tensor, Tensor]:
    """The policy's loss of each sample [P, B] at embedded states, and its Q values [P, 2, B]."""
    action, pre_activation = networks.policy(zs, online["actor"])
    zsa = networks.joint_embedding(zs, action, online["encoder"])
    q = networks.q_values(zsa, online["critic"])
    return losses.actor_loss(q, pre_activation, settings.pre_activation_weight), q
