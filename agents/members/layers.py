"""Networks on the member axis: parameters of all members in one vector, and the layers that read them.

Every tensor leads with a group axis G = members x copies (a twin critic has two copies a member, member-major), and no
operation here reduces over it: what one member computes never depends on its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from agents.members.blocks import BlockType, Linear

Parameters = Mapping[str, Tensor]
"""Names to tensors: `NAME.weight` [G, in, out] and `NAME.bias` [G, 1, out]."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "elu": F.elu}


class Layout:
    """Where each Linear lies in a flat vector: layer after layer, its weights [G, in, out], then its biases [G, 1, out].

    Keeping layers (not members) contiguous lets one optimiser kernel, one mask product and one target copy serve a whole
    module, while each layer stays a contiguous batched matrix.
    """

    def __init__(self, linears: Sequence[Linear], groups: int) -> None:
        self.linears = tuple(linears)
        self.groups = groups
        self.shapes: dict[str, tuple[int, int, int]] = {}
        for linear in self.linears:
            self.shapes[f"{linear.name}.weight"] = (groups, linear.fan_in, linear.fan_out)
            self.shapes[f"{linear.name}.bias"] = (groups, 1, linear.fan_out)
        self.size = sum(math.prod(shape) for shape in self.shapes.values())

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Named views [G, ...] of a flat vector [size]."""
        parts = torch.split(flat, [math.prod(shape) for shape in self.shapes.values()])
        return {
            name: part.view(shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def per_group(self, flat: Tensor, reduce: Callable[[Tensor], Tensor]) -> Tensor:
        """`reduce` ([G, n] -> [G]) of every parameter tensor, summed over the module: [G]."""
        parts = [reduce(view.reshape(self.groups, -1)) for view in self.views(flat).values()]
        return torch.stack(parts).sum(0)

    def expand(self, per_group: Tensor) -> Tensor:
        """One value a group [G], spread over the flat vector [size]."""
        return torch.cat(
            [per_group.repeat_interleave(math.prod(shape[1:])) for shape in self.shapes.values()]
        )


def xavier_uniform(linear: Linear, copies: int, generator: torch.Generator) -> Tensor:
    """Initial weights [copies, in, out] of one member, gain sqrt(2) (MR.Q's initialisation); biases start at zero."""
    bound = math.sqrt(2.0) * math.sqrt(6.0 / (linear.fan_in + linear.fan_out))
    uniform = torch.rand(
        (copies, linear.fan_in, linear.fan_out), generator=generator, dtype=torch.float64
    )
    return (2.0 * uniform - 1.0) * bound


def linear(x: Tensor, parameters: Parameters, name: str) -> Tensor:
    """y = x W + b for every group: [G, B, in] -> [G, B, out]."""
    return torch.baddbmm(parameters[f"{name}.bias"], x, parameters[f"{name}.weight"])


def normalise(x: Tensor) -> Tensor:
    """LayerNorm without affine parameters over the last axis."""
    return F.layer_norm(x, (x.shape[-1],))


@dataclass(frozen=True)
class Traced:
    """What went through one Linear layer, for diagnostics."""

    name: str
    input: Tensor
    """[G, B, in]"""
    output: Tensor
    """[G, B, out], the pre-activation of a hidden layer."""
    activation: Tensor | None
    """act(LN(output)) of a hidden layer, before any shortcut is added; None for a head."""


def activate(z: Tensor, block: BlockType, x: Tensor | None = None) -> Tensor:
    """act([LN](z)) of a hidden layer's pre-activation; `x`: its input, which a post-layer residual adds before."""
    if block.residual == "post" and x is not None and x.shape[-1] == z.shape[-1]:
        z = z + x
    return ACTIVATIONS[block.activation](normalise(z) if block.norm else z)


def shortcut(x: Tensor, y: Tensor, block: BlockType) -> Tensor:
    """The pre-layer residual: the layer's input is added past norm and activation, where the widths agree."""
    return x + y if block.residual == "pre" and x.shape[-1] == y.shape[-1] else y


def hidden(
    x: Tensor,
    parameters: Parameters,
    name: str,
    block: BlockType,
    trace: list[Traced] | None = None,
) -> Tensor:
    """One hidden layer, [G, B, in] -> [G, B, out]: y = [x +] act([LN](x W + b)), or the post-layer kind of it.

    `trace`, if given, receives what went through the layer.
    """
    z = linear(x, parameters, name)
    y = activate(z, block, x)
    if trace is not None:
        trace.append(Traced(name, x, z, y))
    return shortcut(x, y, block)


def head(x: Tensor, parameters: Parameters, name: str, trace: list[Traced] | None = None) -> Tensor:
    """A last layer, without norm and activation: [G, B, in] -> [G, B, out]."""
    z = linear(x, parameters, name)
    if trace is not None:
        trace.append(Traced(name, x, z, None))
    return z


def mlp(
    x: Tensor,
    parameters: Parameters,
    name: str,
    depth: int,
    block: BlockType,
    trace: list[Traced] | None = None,
) -> Tensor:
    """`depth` hidden layers NAME.0 .. NAME.(depth-1): [G, B, in] -> [G, B, width]."""
    for index in range(depth):
        x = hidden(x, parameters, f"{name}.{index}", block, trace)
    return x
