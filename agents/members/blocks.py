"""Layer shapes and block types as plain data: nothing here loads torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class BlockType:
    """How a hidden layer is built (arXiv 2510.12096, the six architectures)."""

    activation: str
    norm: bool
    residual: Literal["none", "pre", "post"]
    """pre: y = x + act(LN(W x + b)), the shortcut skips norm and activation.
    post: y = act(LN(W x + b + x)), the shortcut goes through both."""
    meaning: str


BLOCKS: dict[str, BlockType] = {
    "T1": BlockType("relu", norm=False, residual="none", meaning="ReLU"),
    "T2": BlockType("elu", norm=False, residual="none", meaning="ELU"),
    "T3": BlockType("relu", norm=True, residual="none", meaning="ReLU + LayerNorm"),
    "T4": BlockType("elu", norm=True, residual="none", meaning="ELU + LayerNorm"),
    "T5": BlockType(
        "relu",
        norm=True,
        residual="pre",
        meaning="ReLU + LayerNorm + residual, pre-layer unless a suite says post",
    ),
    "T6": BlockType(
        "elu",
        norm=True,
        residual="pre",
        meaning="ELU + LayerNorm + residual, pre-layer unless a suite says post",
    ),
}


def block_type(name: str, residual: Literal["pre", "post"] = "pre") -> BlockType:
    """A row of BLOCKS; `residual` replaces its kind of residual if it has one."""
    block = BLOCKS[name]
    if block.residual == "none":
        return block
    return replace(block, residual=residual)


@dataclass(frozen=True)
class Linear:
    """The shape of one Linear layer: `fan_in` x `fan_out` weights and `fan_out` biases."""

    name: str
    fan_in: int
    fan_out: int

    @property
    def size(self) -> int:
        """Number of weights, biases not counted."""
        return self.fan_in * self.fan_out

    @property
    def part(self) -> str:
        """The part of the module that this layer belongs to: the first word of its name."""
        return self.name.partition(".")[0]
