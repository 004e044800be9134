"""Layer shapes and block types as plain data: nothing here loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property


@dataclass(frozen=True)
class BlockType:
    """How a hidden layer is built (arXiv 2510.12096, the six architectures)."""

    activation: str
    norm: bool
    residual: str
    """none, or a value of RESIDUALS["residual"]."""
    meaning: str
    shortcuts: str = "all"
    """A value of RESIDUALS["shortcuts"]; says nothing where there is no residual."""
    final_norm: str = "none"
    """A value of RESIDUALS["final_norm"]."""

    @cached_property
    def edge(self) -> BlockType:
        """How the first hidden layer of an MLP and its last layer are built."""
        return replace(self, residual="none") if self.shortcuts == "inner" else self


BLOCKS: dict[str, BlockType] = {
    "T1": BlockType("relu", norm=False, residual="none", meaning="ReLU"),
    "T2": BlockType("elu", norm=False, residual="none", meaning="ELU"),
    "T3": BlockType("relu", norm=True, residual="none", meaning="ReLU + LayerNorm"),
    "T4": BlockType("elu", norm=True, residual="none", meaning="ELU + LayerNorm"),
    "T5": BlockType(
        "relu",
        norm=True,
        residual="pre",
        meaning="ReLU + LayerNorm + residual, as a suite's blocks say",
        shortcuts="inner",
        final_norm="layer",
    ),
    "T6": BlockType(
        "elu",
        norm=True,
        residual="pre",
        meaning="ELU + LayerNorm + residual, as a suite's blocks say",
        shortcuts="inner",
        final_norm="layer",
    ),
}


RESIDUALS: dict[str, tuple[str, ...]] = {
    "residual": ("pre", "post"),
    "shortcuts": ("inner", "all"),
    "final_norm": ("layer", "none"),
}
"""How residuals are built: setting -> its values, of which the first is the default
(docs/decisions/0013-residuals.md). Types without a residual ignore all of them, so stock MR.Q has
the same network in every suite.

residual: where a shortcut leads. pre: y = x + act(LN(W x + b)), past norm and activation.
post: y = act(LN(W x + b + x)), through both.
shortcuts: which layers have one, where their widths agree. all: every layer but heads. inner: the
hidden layers of an MLP but its first, so that neither an MLP's input nor its output skips a layer.
final_norm: layer: a LayerNorm on zs, and on the input of the last layer of every other MLP.

arXiv 2510.12096 reports that pre is better than post; its formulas are unknown."""


def block_type(name: str, residuals: Mapping[str, str] | None = None) -> BlockType:
    """A row of BLOCKS; `residuals`, settings of RESIDUALS, count if the type has a residual."""
    block = BLOCKS[name]
    if block.residual == "none":
        return block
    settings = residuals or {}
    return replace(
        block,
        residual=settings.get("residual", block.residual),
        shortcuts=settings.get("shortcuts", block.shortcuts),
        final_norm=settings.get("final_norm", block.final_norm),
    )


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
