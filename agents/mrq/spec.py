"""Shapes and arithmetic of MR.Q's networks, in plain numbers: nothing here loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from agents.members.blocks import Linear
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


def module_shapes(
    s: MRQSettings, observation: int, action: int
) -> dict[str, tuple[list[Linear], int]]:
    """For each module its Linear layers and how many copies of them a member has."""
    return {
        "encoder": (encoder_shapes(s, observation, action), 1),
        "critic": (critic_shapes(s), 2),
        "actor": (actor_shapes(s, action), 1),
    }


def update_flops(s: MRQSettings, weights: Mapping[str, Mapping[str, int]]) -> float:
    """Floating-point operations of one RL update and one encoder update of one member.

    `weights`: for each module the weights of each layer that are counted, of one copy: all, or those that are active. A
    multiply-add counts two; a backward pass twice its forward pass, or once where only inputs need gradients.
    """
    parts = dict[str, int]()
    for name, count in weights["encoder"].items():
        part = name.partition(".")[0]
        parts[part] = parts.get(part, 0) + count
    zs, zsa, model = parts["zs"], parts["za"] + parts["zsa"], parts["model"]
    critic, actor = 2 * sum(weights["critic"].values()), sum(weights["actor"].values())
    encoder_update = (s.encoder_horizon + 3) * zs + 3 * s.encoder_horizon * (zsa + model)
    targets_and_embedding = 2 * (zs + zsa) + actor + critic
    rl_update = targets_and_embedding + 3 * critic + 3 * actor + 2 * (zsa + critic)
    return 2.0 * s.batch_size * (encoder_update + rl_update)
