"""MR.Q's three networks as functions of named parameters (arXiv 2501.16142, appendix on architectures).

encoder: zs MLP (normalised and activated output), za Linear + activation, zsa MLP, and a linear model head that predicts
termination, next zs and reward bins. critic: an MLP one layer deeper, two copies. actor: an MLP with tanh output.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from agents.blocks import BlockType, Linear
from agents.layers import ACTIVATIONS, Parameters, activate, hidden, linear, mlp, shortcut
from agents.mrq.settings import MRQSettings


def _mlp_shapes(name: str, fan_in: int, depth: int, width: int, out: int) -> list[Linear]:
    widths = [fan_in, *[width] * depth]
    layers = [Linear(f"{name}.{i}", a, b) for i, (a, b) in enumerate(pairwise(widths))]
    return [*layers, Linear(f"{name}.out", widths[-1], out)]


def encoder_shapes(s: MRQSettings, observation: int, action: int) -> list[Linear]:
    """Linear layers of the encoder."""
    return [
        *_mlp_shapes("zs", observation, s.depth, s.width, s.zs_dim),
        Linear("za", action, s.za_dim),
        *_mlp_shapes("zsa", s.zs_dim + s.za_dim, s.depth, s.width, s.zsa_dim),
        Linear("model", s.zsa_dim, 1 + s.zs_dim + s.reward_bins),
    ]


def critic_shapes(s: MRQSettings) -> list[Linear]:
    """Linear layers of one Q network."""
    return _mlp_shapes("q", s.zsa_dim, s.depth + 1, s.width, 1)


def actor_shapes(s: MRQSettings, action: int) -> list[Linear]:
    """Linear layers of the policy."""
    return _mlp_shapes("policy", s.zs_dim, s.depth, s.width, action)


def module_shapes(s: MRQSettings, observation: int, action: int) -> dict[str, tuple[list[Linear], int]]:
    """For each module its Linear layers and how many copies of them a member has."""
    return {
        "encoder": (encoder_shapes(s, observation, action), 1),
        "critic": (critic_shapes(s), 2),
        "actor": (actor_shapes(s, action), 1),
    }


def update_flops(s: MRQSettings, observation: int, action: int) -> float:
    """Floating-point operations of one RL update and one encoder update of one member.

    A multiply-add counts two; a backward pass twice its forward pass, or once where only inputs need gradients. Masked
    weights count: nothing here computes with less than the dense matrices.
    """
    sizes = {layer.name: layer.size for layer in encoder_shapes(s, observation, action)}
    zs = sum(size for name, size in sizes.items() if name.startswith("zs."))
    zsa = sum(size for name, size in sizes.items() if name.startswith(("za", "zsa")))
    critic = 2 * sum(layer.size for layer in critic_shapes(s))
    actor = sum(layer.size for layer in actor_shapes(s, action))
    encoder_update = (s.encoder_horizon + 3) * zs + 3 * s.encoder_horizon * (zsa + sizes["model"])
    targets_and_embedding = 2 * (zs + zsa) + actor + critic
    rl_update = targets_and_embedding + 3 * critic + 3 * actor + 2 * (zsa + critic)
    return 2.0 * s.batch_size * (encoder_update + rl_update)


def state_embedding(
    observation: Tensor, parameters: Parameters, s: MRQSettings, block: BlockType, trace: list[Tensor] | None = None
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
    """zsa = g(zs, za), its output neither normalised nor activated: -> [P, B, zsa].

    `parameters`: divided. `begun`: za through `zsa.action`, where that was computed for several steps at once.
    """
    z = torch.baddbmm(linear(za, parameters, "zsa.action") if begun is None else begun, zs, parameters["zsa.state.weight"])
    y = activate(z, block)
    x = shortcut(torch.cat([zs, za], -1), y, block) if zs.shape[-1] + za.shape[-1] == y.shape[-1] else y
    for index in range(1, s.depth):
        x = hidden(x, parameters, f"zsa.{index}", block)
    return shortcut(x, linear(x, parameters, "zsa.out"), block)


def q_values(
    zsa: Tensor,
    parameters: Parameters,
    s: MRQSettings,
    block: BlockType,
    features: list[Tensor] | None = None,
    trace: list[Tensor] | None = None,
) -> Tensor:
    """Both Q networks: [P, B, zsa] -> [P, 2, B]. `features` receives the penultimate layer [2P, B, width]."""
    members, batch, width = zsa.shape
    twins = zsa[:, None].expand(members, 2, batch, width).reshape(members * 2, batch, width)
    x = mlp(twins, parameters, "q", s.depth + 1, block, trace)
    if features is not None:
        features.append(x)
    return linear(x, parameters, "q.out").view(members, 2, batch)


def policy(
    zs: Tensor,
    parameters: Parameters,
    s: MRQSettings,
    block: BlockType,
    features: list[Tensor] | None = None,
    trace: list[Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """(action = tanh(u), pre-activation u), both [P, B, act]. `features` receives the penultimate layer."""
    x = mlp(zs, parameters, "policy", s.depth, block, trace)
    if features is not None:
        features.append(x)
    u = linear(x, parameters, "policy.out")
    return torch.tanh(u), u
