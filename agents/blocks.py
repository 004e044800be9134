"""Shapes and kinds of layers, in plain data: nothing here loads torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BlockType:
    """How a hidden layer is built (arXiv 2510.12096, the six architectures)."""

    activation: str
    norm: bool
    residual: bool
    meaning: str


BLOCKS: dict[str, BlockType] = {
    "T1": BlockType("relu", norm=False, residual=False, meaning="ReLU"),
    "T2": BlockType("elu", norm=False, residual=False, meaning="ELU"),
    "T3": BlockType("relu", norm=True, residual=False, meaning="ReLU + LayerNorm"),
    "T4": BlockType("elu", norm=True, residual=False, meaning="ELU + LayerNorm"),
    "T5": BlockType("relu", norm=True, residual=True, meaning="ReLU + LayerNorm + pre-layer residual"),
    "T6": BlockType("elu", norm=True, residual=True, meaning="ELU + LayerNorm + pre-layer residual"),
}


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
