"""How large a run's networks are and what a step of their learning costs, dense and active: exact arithmetic on shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agents.members.blocks import Linear
from agents.sparsity.regime import Regime

Shapes = Mapping[str, tuple[Sequence[Linear], int]]
"""For each module its Linear layers and how many copies of them a member has."""
Weights = Mapping[str, Mapping[str, int]]
"""For each module the weights of each layer of one copy."""


@dataclass(frozen=True)
class Size:
    """Trained parameters (weights and biases) of one run, and operations of one agent step's learning."""

    parameters: int
    """All of them."""
    active: int
    """Those that the last masks leave."""
    flops: float
    """Of one agent step's learning, masked weights included: what is computed."""
    active_flops: float
    """The same, masked weights left out: what a sparse machine would compute."""


def dense_weights(shapes: Shapes) -> dict[str, dict[str, int]]:
    """Every weight."""
    return {
        module: {layer.name: layer.size for layer in layers}
        for module, (layers, _) in shapes.items()
    }


def last_weights(shapes: Shapes, regime: Regime) -> dict[str, dict[str, int]]:
    """The weights that a regime's last masks leave."""
    return {
        module: dict(
            zip([layer.name for layer in layers], regime[module].counts(layers)[1], strict=True)
        )
        for module, (layers, _) in shapes.items()
    }


def parameters(shapes: Shapes, weights: Weights) -> int:
    """Counted weights of all copies, and all biases."""
    return sum(
        copies * (sum(weights[module].values()) + sum(layer.fan_out for layer in layers))
        for module, (layers, copies) in shapes.items()
    )


def size(shapes: Shapes, regime: Regime, flops: Callable[[Weights], float]) -> Size:
    """Of a run of `regime`; `flops`: operations of an agent step's learning, given the weights that count."""
    dense, last = dense_weights(shapes), last_weights(shapes, regime)
    return Size(parameters(shapes, dense), parameters(shapes, last), flops(dense), flops(last))
