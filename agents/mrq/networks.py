"""MR.Q's three networks as functions of named parameters (arXiv 2501.16142, appendix).

encoder: zs MLP (normalised and activated output), za Linear + activation, zsa MLP, and a linear
model head that predicts termination, next zs and reward bins. critic: an MLP one layer deeper, two
copies. actor: an MLP with tanh output. In shape descriptions obs, act, zs, za and zsa are widths.
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
    final_norm,
    head,
    hidden,
    linear,
    mlp,
    shortcut,
)
from agents.mrq.settings import MRQSettings


class Networks:
    """The networks of a cohort, in its precision.

    Inputs and outputs have the dtype `dtype`, whatever type the matrix products inside use. A
    `trace`, if given, receives the tensors of each layer.
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
        self.settings = settings
        self.blocks = blocks
        self.dtype = dtype
        self.products = products
        self.device = torch.device(device)

    def _cast(self) -> AbstractContextManager[object]:
        """Casts without a cache, because parameters change in place between products."""
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
            zs = hidden(x, parameters, "zs.out", block.edge, trace)
            zs = final_norm(zs, block)
        return zs.to(self.dtype)

    def joint_embedding(
        self,
        zs: Tensor,
        action: Tensor,
        parameters: Parameters,
        trace: list[Traced] | None = None,
    ) -> Tensor:
        """zsa = g(zs, za): states [P, B, zs], actions [P, B, act] -> [P, B, zsa]."""
        parameters = self._divided(parameters)
        with self._cast():
            za = self._action_embedding(action, parameters, trace)
            begun = linear(za, parameters, "zsa.action")
            zsa = self._joint(zs, za, begun, parameters, trace)
        return zsa.to(self.dtype)

    def unrolled(self, zs: Tensor, action: Tensor, parameters: Parameters) -> tuple[Tensor, Tensor]:
        """Unrolls the model from zs [P, B, zs] along actions [P, H, B, act].

        Returns predicted states [P, H B, zs], and its other predictions, termination and reward
        logits, [P, H B, 1 + bins].
        """
        parameters = {**self._divided(parameters), **self._divided_model(parameters)}
        horizon = action.shape[1]
        states = list[Tensor]()
        joints = list[Tensor]()
        with self._cast():
            # The actions do not depend on the unrolled states: all H steps go in one product.
            za = self._action_embedding(action.flatten(1, 2), parameters)  # [P, H B, za]
            begun = linear(za, parameters, "zsa.action")

            # The states do: step after step.
            steps = zip(za.chunk(horizon, 1), begun.chunk(horizon, 1), strict=True)
            for za_now, begun_now in steps:
                joints.append(self._joint(zs, za_now, begun_now, parameters))
                zs = linear(joints[-1], parameters, "state")
                states.append(zs)

            # No step needs the predicted terminations and rewards: one product again.
            rest = linear(torch.cat(joints, 1), parameters, "rest")
        return torch.cat(states, 1).to(self.dtype), rest.to(self.dtype)

    def q_values(
        self, zsa: Tensor, parameters: Parameters, trace: list[Traced] | None = None
    ) -> Tensor:
        """Both Q networks: [P, B, zsa] -> [P, 2, B]."""
        members, batch, width = zsa.shape
        block = self.blocks["critic"]
        with self._cast():
            twins = zsa[:, None].expand(members, 2, batch, width)
            twins = twins.reshape(members * 2, batch, width)  # [G, B, zsa]
            x = mlp(twins, parameters, "q", self.settings.depth + 1, block, trace)
            q = head(final_norm(x, block), parameters, "q.out", trace).view(members, 2, batch)
        return q.to(self.dtype)

    def policy(
        self, zs: Tensor, parameters: Parameters, trace: list[Traced] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(action = tanh(u), pre-activation u) at [P, B, zs], both [P, B, act]."""
        block = self.blocks["actor"]
        with self._cast():
            x = mlp(zs, parameters, "policy", self.settings.depth, block, trace)
            u = head(final_norm(x, block), parameters, "policy.out", trace)
        u = u.to(self.dtype)
        return torch.tanh(u), u

    def _action_embedding(
        self, action: Tensor, parameters: Parameters, trace: list[Traced] | None = None
    ) -> Tensor:
        """za = act(W a + b), not normalised: [P, B, act] -> [P, B, za]."""
        z = linear(action, parameters, "za")
        za = ACTIVATIONS[self.blocks["encoder"].activation](z)
        if trace is not None:
            trace.append(Traced("za", action, z, za))
        return za

    def _joint(
        self,
        zs: Tensor,
        za: Tensor,
        begun: Tensor,
        parameters: Parameters,
        trace: list[Traced] | None = None,
    ) -> Tensor:
        """zsa [P, B, zsa] from zs [P, B, zs] and za [P, B, za].

        `parameters` come from `_divided`; `begun` is za @ W_action + b.
        """
        block = self.blocks["encoder"]
        edge = block.edge

        # First layer: the state half joins the action half. Its input is [zs, za], which only a
        # residual needs, and only where the widths agree.
        z = torch.baddbmm(begun, zs, parameters["zsa.state.weight"])
        both = torch.cat([zs, za], -1) if zs.shape[-1] + za.shape[-1] == z.shape[-1] else None
        y = activate(z, edge, both)
        if trace is not None:
            trace.append(Traced("zsa.0", torch.cat([zs, za], -1), z, y))
        x = y if both is None else shortcut(both, y, edge)

        for index in range(1, self.settings.depth):
            x = hidden(x, parameters, f"zsa.{index}", block, trace)

        # The output has no norm or activation, so pre- and post-residual coincide.
        x = final_norm(x, block)
        y = linear(x, parameters, "zsa.out")
        return x + y if edge.residual != "none" and x.shape[-1] == y.shape[-1] else y

    def _divided(self, parameters: Parameters) -> Parameters:
        """Splits `zsa.0` by input, into `zsa.state` and `zsa.action`.

        The action half is applied to the whole horizon in one matmul, the state half once per
        unroll step.
        """
        widths = [self.settings.zs_dim, self.settings.za_dim]
        of_state, of_action = torch.split(parameters["zsa.0.weight"], widths, dim=1)
        return {
            **parameters,
            "zsa.state.weight": of_state,
            "zsa.action.weight": of_action,
            "zsa.action.bias": parameters["zsa.0.bias"],
        }

    def _divided_model(self, parameters: Parameters) -> Parameters:
        """Splits the model head by output, into `state`, which the next unroll step needs, and
        `rest`, termination and rewards."""
        widths = [1, self.settings.zs_dim, self.settings.reward_bins]
        parts = dict[str, Tensor]()
        for name in ("weight", "bias"):
            done, state, reward = torch.split(parameters[f"model.{name}"], widths, dim=2)
            parts[f"state.{name}"] = state
            parts[f"rest.{name}"] = torch.cat([done, reward], 2)
        return parts
