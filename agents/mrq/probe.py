"""Measures the modules of MR.Q for diagnostics: features, units and gradients on replayed rows."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from agents.diagnostics.figures import ROWS
from agents.diagnostics.interference import sample_cosines
from agents.members.layers import Traced
from agents.members.module import Module
from agents.members.replay import Window
from agents.mrq import losses
from agents.mrq.networks import Networks
from agents.mrq.settings import MRQSettings
from agents.mrq.updates import Target
from agents.protocol import Probe

PROBE_BATCH = ROWS
"""Rows on which features are measured."""
PROBE_ROWS = 256
"""The first of them, on which units and gradients are measured (arXiv 2506.17204's code uses 256
for everything)."""
PROBE_SAMPLES = 64
"""The first of those, whose gradients are compared one by one."""


def probe(
    modules: Mapping[str, Module],
    networks: Networks,
    window: Window,
    target: Target,
    encoder_loss: Tensor,
    settings: MRQSettings,
) -> dict[str, Probe]:
    """Measures every module; nothing that learns changes.

    `window`: one step of all probe rows. `target`: the critic's target at the first PROBE_ROWS of
    them, `encoder_loss` [P]: the encoder's loss there.
    """
    encoder, critic, actor = (modules[name].parameters for name in ("encoder", "critic", "actor"))
    traces: dict[str, list[Traced]] = {name: [] for name in modules}

    # One forward pass of each module, its layers traced. The encoder's goes on to zsa.
    observation, taken = window[0][:, 0, :PROBE_ROWS], window[1][:, 0, :PROBE_ROWS]
    with torch.no_grad():
        zs = networks.state_embedding(observation, encoder, traces["encoder"])
        networks.joint_embedding(zs, taken, encoder, traces["encoder"])
    q = networks.q_values(target.zsa, critic, traces["critic"])
    action, pre_activation = networks.policy(target.zs, actor, traces["actor"])

    # The losses of single samples. Shape: [P, B]
    zsa = networks.joint_embedding(target.zs, action, encoder)
    q_policy = networks.q_values(zsa, critic)
    samples = {
        "critic": losses.critic_loss(q, target.value),
        "actor": losses.actor_loss(q_policy, pre_activation, settings.pre_activation_weight),
    }

    # The encoder's loss is one number a member: its samples cannot be told apart.
    features = _features(modules, networks, window)
    probes = dict[str, Probe]()
    for name, module in modules.items():
        cosines = None
        loss = encoder_loss
        if name in samples:
            cosines = sample_cosines(module, samples[name], traces[name], PROBE_SAMPLES)
            loss = samples[name].mean(1)
        probes[name] = _probe(module, features[name], traces[name], loss, cosines)
    return probes


def _probe(
    module: Module, features: Tensor, trace: list[Traced], loss: Tensor, cosines: Tensor | None
) -> Probe:
    """One module. `trace`: its layers on the first rows; those with an activation are hidden."""
    hidden = [layer for layer in trace if layer.activation is not None]
    activations = [layer.activation for layer in hidden if layer.activation is not None]
    return Probe(
        _by_member(module, features),
        [_by_member(module, layer.output) for layer in hidden],
        [_by_member(module, activation) for activation in activations],
        module.gradient_norm(module.gradients(loss)),
        cosines,
    )


def _by_member(module: Module, x: Tensor) -> Tensor:
    """[G, B, d] -> [P, copies, B, d]"""
    return x.detach().view(module.members, module.copies, *x.shape[1:])


@torch.no_grad()
def _features(
    modules: Mapping[str, Module], networks: Networks, window: Window
) -> dict[str, Tensor]:
    """What each module hands on at every probe row: [G, B, d]."""
    observation, action, _, _ = window
    encoder = modules["encoder"].parameters
    zs = networks.state_embedding(observation[:, 0], encoder)
    zsa = networks.joint_embedding(zs, action[:, 0], encoder)

    # The input of a head is the last entry of its trace
    q, policy = list[Traced](), list[Traced]()
    networks.q_values(zsa, modules["critic"].parameters, q)
    networks.policy(zs, modules["actor"].parameters, policy)
    return {"encoder": zs, "critic": q[-1].input, "actor": policy[-1].input}
