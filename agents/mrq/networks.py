"""MR.Q's three networks as functions of named parameters (arXiv 2501.16142, appendix on architectures).

encoder: zs MLP (normalised and activated output), za Linear + activation, zsa MLP, and a linear model head that predicts
termination, next zs and reward bins. critic: an MLP one layer deeper, two copies. actor: an MLP with tanh output.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from agents.members.blocks import BlockType
from agents.members.layers import (
    ACTIVATIONS,
    Parameters,
    Traced,
    activate,
    head,
    hidden,
    linear,
    mlp,
    shortcut,
)
from agents.mrq.settings import MRQSettings


class Networks:
    """The networks of a cohort, with the cast that its precision asks for: what goes in and comes out is of its own dtype.

    `trace`, where it is given, receives what went through each layer.
    """

    def __init__(
        self,
        settings: MRQSettings,
        blocks: Mapping[str, BlockType],
        dtype: torch.dtype = torch.float32,
        products: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """`products`: the type that matrix products are cast to, or None for `dtype`."""
        self.settings, self.blocks = settings, blocks
        self.dtype, self.products, self.device = dtype, products, torch.device(device)

    def _cast(self) -> AbstractContextManager[object]:
        """Nothing is cached: parameters change in place between products."""
        if self.products is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.products, cache_enabled=False)

    def state_embedding(
        self, observation: Tensor, parameters: Parameters, trace: list[Traced] | None = None
    ) -> Tensor:
        """zs = f(s): [P, B, obs] -> [P, B, zs]."""
        block = self.blocks["encoder"]
        with self._cast():
            x = mlp(observation, parameters, "zs", self.settings.depth, block, trace)
            zs = hidden(x, parameters, "zs.out", block, trace)
        return zs.to(self.dtype)

    def joint_embedding(self, zs: Tensor, action: Tensor, parameters: Parameters) -> Tensor:
        """zsa of embedded states [P, B, zs] and actions [P, B, act] -> [P, B, zsa]."""
        parameters = self._divided(parameters)
        with self._cast():
            za = self._action_embedding(action, parameters)
            zsa = self._joint(zs, za, linear(za, parameters, "zsa.action"), parameters)
        return zsa.to(self.dtype)

    def unrolled(self, zs: Tensor, action: Tensor, parameters: Parameters) -> tuple[Tensor, Tensor]:
        """The model from zs [P, B, zs] along actions [P, H, B, act]: states [P, H B, zs], and the rest of what it predicts,
        termination and reward logits, [P, H B, 1 + bins].

        What does not depend on the step before is computed for all steps at once.
        """
        parameters, horizon = (
            {**self._divided(parameters), **self._divided_model(parameters)},
            action.shape[1],
        )
        states, joints = list[Tensor](), list[Tensor]()
        with self._cast():
            za = self._action_embedding(action.flatten(1, 2), parameters)
            begun = linear(za, parameters, "zsa.action")
            for za_now, begun_now in zip(
                za.chunk(horizon, 1), begun.chunk(horizon, 1), strict=True
            ):
                joints.append(self._joint(zs, za_now, begun_now, parameters))
                zs = linear(joints[-1], parameters, "state")
                states.append(zs)
            rest = linear(torch.cat(joints, 1), parameters, "rest")
        return torch.cat(states, 1).to(self.dtype), rest.to(self.dtype)

    def q_values(
        self, zsa: Tensor, parameters: Parameters, trace: list[Traced] | None = None
    ) -> Tensor:
        """Both Q networks: [P, B, zsa] -> [P, 2, B]."""
        members, batch, width = zsa.shape
        with self._cast():
            twins = zsa[:, None].expand(members, 2, batch, width).reshape(members * 2, batch, width)
            x = mlp(twins, parameters, "q", self.settings.depth + 1, self.blocks["critic"], trace)
            q = head(x, parameters, "q.out", trace).view(members, 2, batch)
        return q.to(self.dtype)

    def policy(
        self, zs: Tensor, parameters: Parameters, trace: list[Traced] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(action = tanh(u), pre-activation u) at [P, B, zs], both [P, B, act]."""
        with self._cast():
            x = mlp(zs, parameters, "policy", self.settings.depth, self.blocks["actor"], trace)
            u = head(x, parameters, "policy.out", trace)
        u = u.to(self.dtype)
        return torch.tanh(u), u

    def _action_embedding(self, action: Tensor, parameters: Parameters) -> Tensor:
        """za = act(W a + b), not normalised: [P, B, act] -> [P, B, za]."""
        return ACTIVATIONS[self.blocks["encoder"].activation](linear(action, parameters, "za"))

    def _joint(self, zs: Tensor, za: Tensor, begun: Tensor, parameters: Parameters) -> Tensor:
        """zsa = g(zs, za), its output neither normalised nor activated (so both kinds of residual agree there): -> [P, B, zsa].

        `parameters`: divided. `begun`: za through `zsa.action`.
        """
        block = self.blocks["encoder"]
        z = torch.baddbmm(begun, zs, parameters["zsa.state.weight"])
        both = torch.cat([zs, za], -1) if zs.shape[-1] + za.shape[-1] == z.shape[-1] else None
        y = activate(z, block, both)
        x = y if both is None else shortcut(both, y, block)
        for index in range(1, self.settings.depth):
            x = hidden(x, parameters, f"zsa.{index}", block)
        y = linear(x, parameters, "zsa.out")
        return x + y if block.residual != "none" and x.shape[-1] == y.shape[-1] else y

    def _divided(self, parameters: Parameters) -> Parameters:
        """The encoder's parameters, `zsa.0` divided into `zsa.action`, which whole horizons of actions go through at once, and
        the weights `zsa.state`, which the states of an unrolled model go through one step after the other."""
        s = self.settings
        of_state, of_action = torch.split(parameters["zsa.0.weight"], [s.zs_dim, s.za_dim], dim=1)
        parts = {
            "zsa.state.weight": of_state,
            "zsa.action.weight": of_action,
            "zsa.action.bias": parameters["zsa.0.bias"],
        }
        return {**parameters, **parts}

    def _divided_model(self, parameters: Parameters) -> Parameters:
        """The model's linear predictions: `state`, which the next step needs, and `rest`, termination and rewards."""
        s, parts = self.settings, dict[str, Tensor]()
        for kind in ("weight", "bias"):
            done, state, reward = torch.split(
                parameters[f"model.{kind}"], [1, s.zs_dim, s.reward_bins], dim=2
            )
            parts |= {f"state.{kind}": state, f"rest.{kind}": torch.cat([done, reward], 2)}
        return parts
