"""Networks on the member axis: one vector of parameters for all members, and layers that read it.

Every tensor leads with G, and no operation here reduces over it, so what one member computes never
depends on its neighbours.
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
Modules = Mapping[str, Parameters]
"""Module -> its parameters, or its target's."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "elu": F.elu}


class Layout:
    """The order of a module's Linear layers in one flat vector [size].

    Layer after layer, each its weights [G, in, out] and then its biases [G, 1, out]. Because layers
    (not members) are contiguous, one optimiser kernel, one mask product and one target copy serve
    a whole module, and each layer stays one contiguous batched matrix.
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
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view(shape) for (name, shape), part in named}

    def per_group(self, flat: Tensor, reduce: Callable[[Tensor], Tensor]) -> Tensor:
        """`reduce` ([G, n] -> [G]) of every parameter tensor, summed over the module: [G]."""
        parts = [reduce(view.reshape(self.groups, -1)) for view in self.views(flat).values()]
        return torch.stack(parts).sum(0)

    def expand(self, per_group: Tensor) -> Tensor:
        """The value of each group [G], repeated for all its parameters: [size]."""
        counts = [math.prod(shape[1:]) for shape in self.shapes.values()]
        return torch.cat([per_group.repeat_interleave(count) for count in counts])


def xavier_uniform(linear: Linear, copies: int, generator: torch.Generator) -> Tensor:
    """Initial weights [copies, in, out] of one member, with gain sqrt(2) as in MR.Q.

    They are float64; biases start at zero.
    """
    bound = math.sqrt(2.0) * math.sqrt(6.0 / (linear.fan_in + linear.fan_out))
    shape = (copies, linear.fan_in, linear.fan_out)
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
    return (2.0 * uniform - 1.0) * bound


def linear(x: Tensor, parameters: Parameters, name: str) -> Tensor:
    """y = x W + b for every group: [G, B, in] -> [G, B, out]."""
    return torch.baddbmm(parameters[f"{name}.bias"], x, parameters[f"{name}.weight"])


def normalise(x: Tensor) -> Tensor:
    """LayerNorm without affine parameters over the last axis."""
    return F.layer_norm(x, (x.shape[-1],))


@dataclass(frozen=True)
class Traced:
    """The tensors that went through one Linear layer, for diagnostics."""

    name: str
    input: Tensor
    """[G, B, in]"""
    output: Tensor
    """[G, B, out], the pre-activation of a hidden layer."""
    activation: Tensor | None
    """act(LN(output)) of a hidden layer, before any shortcut is added; None for a head."""


def activate(z: Tensor, block: BlockType, x: Tensor | None = None) -> Tensor:
    """act([LN](z)) of a hidden layer's pre-activation z.

    `x` is the layer's input: a post-layer residual adds it to z first, where the widths agree.
    """
    if block.residual == "post" and x is not None and x.shape[-1] == z.shape[-1]:
        z = z + x
    return ACTIVATIONS[block.activation](normalise(z) if block.norm else z)


def shortcut(x: Tensor, y: Tensor, block: BlockType) -> Tensor:
    """The pre-layer residual: adds the layer's input x to its output y, where the widths agree."""
    return x + y if block.residual == "pre" and x.shape[-1] == y.shape[-1] else y


def final_norm(x: Tensor, block: BlockType) -> Tensor:
    """What an MLP of such blocks hands on, normalised if they end in a norm."""
    return normalise(x) if block.final_norm == "layer" else x


def hidden(
    x: Tensor,
    parameters: Parameters,
    name: str,
    block: BlockType,
    trace: list[Traced] | None = None,
) -> Tensor:
    """One hidden layer, [G, B, in] -> [G, B, out]: y = [x +] act([LN](x W + b)), or post-layer.

    `trace`, if given, receives the layer's tensors.
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
    x = hidden(x, parameters, f"{name}.0", block.edge, trace)
    for index in range(1, depth):
        x = hidden(x, parameters, f"{name}.{index}", block, trace)
    return x
