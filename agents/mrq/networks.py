"""MR.Q's three networks as functions of named parameters (arXiv 2501.16142, appendix on architectures).

encoder: zs MLP (normalised and activated output), za Linear + activation, zsa MLP, and a linear model head that predicts
termination, next zs and reward bins. critic: an MLP one layer deeper, two copies. actor: an MLP with tanh output.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agents.blocks import BlockType
from agents.layers import ACTIVATIONS, Parameters, Traced, activate, head, hidden, linear, mlp, shortcut
from agents.mrq.settings import MRQSettings


def state_embedding(
    observation: Tensor, parameters: Parameters, s: MRQSettings, block: BlockType, trace: list[Traced] | None = None
) -> Tensor:
    """zs = f(s): [P, B, obs] -> [P, B, zs]."""
    x = mlp(observation, parameters, "zs", s.depth, block, trace)
    return hidden(x, parameters, "zs.out", block, trace)


def action_embedding(action: Tensor, parameters: Parameters, block: BlockType) -> Tensor:
    """za = act(W a + b), not normalised: [P, B, act] -> [P, B, za]."""
    return ACTIVATIONS[block.activation](linear(action, parameters, "za"))


def divided(parameters: Parameters, s: MRQSettings) -> Parameters:
    """The encoder's parameters, `zsa.0` divided into `zsa.action`, which whole horizons of actions go through at once, and the
    weights `zsa.state`, which the states of an unrolled model go through one step after the other."""
    of_state, of_action = torch.split(parameters["zsa.0.weight"], [s.zs_dim, s.za_dim], dim=1)
    parts = {"zsa.state.weight": of_state, "zsa.action.weight": of_action, "zsa.action.bias": parameters["zsa.0.bias"]}
    return {**parameters, **parts}


def divided_model(parameters: Parameters, s: MRQSettings) -> Parameters:
    """The model's linear predictions, divided into `state`, which the next step needs, and `rest`: termination and rewards."""
    parts = dict[str, Tensor]()
    for kind in ("weight", "bias"):
        done, state, reward = torch.split(parameters[f"model.{kind}"], [1, s.zs_dim, s.reward_bins], dim=2)
        parts |= {f"state.{kind}": state, f"rest.{kind}": torch.cat([done, reward], 2)}
    return parts


def joint_embedding(
    zs: Tensor, za: Tensor, parameters: Parameters, s: MRQSettings, block: BlockType, begun: Tensor | None = None
) -> Tensor:
    """zsa = g(zs, za), its output neither normalised nor activated (so both kinds of residual agree there): -> [P, B, zsa].

    `parameters`: divided. `begun`: za through `zsa.action`, where that was computed for several steps at once.
    """
    z = torch.baddbmm(linear(za, parameters, "zsa.action") if begun is None else begun, zs, parameters["zsa.state.weight"])
    both = torch.cat([zs, za], -1) if zs.shape[-1] + za.shape[-1] == z.shape[-1] else None
    y = activate(z, block, both)
    x = y if both is None else shortcut(both, y, block)
    for index in range(1, s.depth):
        x = hidden(x, parameters, f"zsa.{index}", block)
    y = linear(x, parameters, "zsa.out")
    return x + y if block.residual != "none" and x.shape[-1] == y.shape[-1] else y


def q_values(
    zsa: Tensor,
    parameters: Parameters,
    s: MRQSettings,
    block: BlockType,
    features: list[Tensor] | None = None,
    trace: list[Traced] | None = None,
) -> Tensor:
    """Both Q networks: [P, B, zsa] -> [P, 2, B]. `features` receives the penultimate layer [2P, B, width]."""
    members, batch, width = zsa.shape
    twins = zsa[:, None].expand(members, 2, batch, width).reshape(members * 2, batch, width)
    x = mlp(twins, parameters, "q", s.depth + 1, block, trace)
    if features is not None:
        features.append(x)
    return head(x, parameters, "q.out", trace).view(members, 2, batch)


def policy(
    zs: Tensor,
    parameters: Parameters,
    s: MRQSettings,
    block: BlockType,
    features: list[Tensor] | None = None,
    trace: list[Traced] | None = None,
) -> tuple[Tensor, Tensor]:
    """(action = tanh(u), pre-activation u), both [P, B, act]. `features` receives the penultimate layer."""
    x = mlp(zs, parameters, "policy", s.depth, block, trace)
    if features is not None:
        features.append(x)
    u = head(x, parameters, "policy.out", trace)
    return torch.tanh(u), u
