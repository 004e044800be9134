"""What diagnostics look at in MR.Q: features, units and gradients of every module on replayed rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from agents.diagnostics.interference import sample_cosines
from agents.members.layers import Traced
from agents.mrq import losses
from agents.protocol import Probe
from agents.sparsity.regime import MODULES

if TYPE_CHECKING:
    from agents.mrq.agent import MRQ

PROBE_BATCH, PROBE_ROWS, PROBE_SAMPLES = 2048, 256, 64
"""Rows of a probe; rows of them on which units and gradients are looked at (arXiv 2506.17204's code uses 256 for all); rows
whose gradients are compared one by one."""


def probe(agent: MRQ) -> dict[str, Probe]:
    """Every module on rows that the agent's own probe stream draws; nothing that learns is touched."""
    index = agent.replay.sample(agent.draws["probe"].next())
    few, networks = index[:, :PROBE_ROWS], agent.networks
    encoder, critic, actor = (module.parameters for module in agent.parts.values())
    zs, zsa, target = agent.td_target(few, agent.draws["probe-noise"].next())
    traces: dict[str, list[Traced]] = {name: [] for name in MODULES}
    networks.state_embedding(agent.replay.windows(few, 1)[0][:, 0], encoder, traces["encoder"])
    q = networks.q_values(zsa, critic, traces["critic"])
    action, u = networks.policy(zs, actor, traces["actor"])
    q_policy = networks.q_values(networks.joint_embedding(zs, action, encoder), critic)
    each = {
        "critic": losses.critic_loss(q, target),
        "actor": losses.actor_loss(q_policy, u, agent.settings.pre_activation_weight),
    }
    features = _features(agent, index)
    found = dict[str, Probe]()
    for name, module in agent.parts.items():
        loss = each[name].mean(1) if name in each else agent.encoder_loss(few)
        compared = (
            sample_cosines(module, each[name], traces[name], PROBE_SAMPLES)
            if name in each
            else None
        )
        hidden = [
            (layer.output, layer.activation)
            for layer in traces[name]
            if layer.activation is not None
        ]
        found[name] = Probe(
            _by_member(agent, features[name]),
            [_by_member(agent, output) for output, _ in hidden],
            [_by_member(agent, activation) for _, activation in hidden],
            module.gradient_norm(module.gradients(loss)),
            compared,
        )
    return found


def _by_member(agent: MRQ, x: Tensor) -> Tensor:
    """[G, B, d] -> [P, copies, B, d]"""
    return x.detach().view(agent.members, -1, *x.shape[1:])


@torch.no_grad()
def _features(agent: MRQ, index: Tensor) -> dict[str, Tensor]:
    """What each module hands on at rows [P, B]: [G, B, d]."""
    observation, action, _, _ = agent.replay.windows(index, 1)
    encoder, critic, actor = (module.parameters for module in agent.parts.values())
    zs = agent.networks.state_embedding(observation[:, 0], encoder)
    zsa = agent.networks.joint_embedding(zs, action[:, 0], encoder)
    q, policy = list[Traced](), list[Traced]()
    agent.networks.q_values(zsa, critic, q)
    agent.networks.policy(zs, actor, policy)
    return {"encoder": zs, "critic": q[-1].input, "actor": policy[-1].input}
