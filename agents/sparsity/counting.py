"""Size of a run's networks and cost of one learning step, dense and active, from shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agents.members.blocks import Linear
from agents.sparsity.regime import Regime

Shapes = Mapping[str, tuple[Sequence[Linear], int]]
"""Module -> its Linear layers, and how many copies of them a member has."""
Weights = Mapping[str, Mapping[str, int]]
"""Module -> number of weights of each layer of one copy."""


@dataclass(frozen=True)
class Size:
    """Trained parameters (weights and biases) of one run, and operations of one learning step."""

    parameters: int
    """All parameters."""
    active: int
    """Parameters that the last masks keep."""
    flops: float
    """Operations of one agent step's learning, masked weights included: what is computed."""
    active_flops: float
    """The same without masked weights: what a sparse machine would compute."""


def dense_weights(shapes: Shapes) -> dict[str, dict[str, int]]:
    """Every weight."""
    weights = dict[str, dict[str, int]]()
    for module, (layers, _) in shapes.items():
        weights[module] = {layer.name: layer.size for layer in layers}
    return weights


def last_weights(shapes: Shapes, regime: Regime) -> dict[str, dict[str, int]]:
    """The weights that a regime's last masks keep."""
    weights = dict[str, dict[str, int]]()
    for module, (layers, _) in shapes.items():
        _, last = regime[module].counts(layers)
        names = [layer.name for layer in layers]
        weights[module] = dict(zip(names, last, strict=True))
    return weights


def parameters(shapes: Shapes, weights: Weights) -> int:
    """Counted weights of all copies, and all biases."""
    total = 0
    for module, (layers, copies) in shapes.items():
        biases = sum(layer.fan_out for layer in layers)
        total += copies * (sum(weights[module].values()) + biases)
    return total


def size(shapes: Shapes, regime: Regime, flops: Callable[[Weights], float]) -> Size:
    """Size of a run of `regime`; `flops` gives one step's operations for the counted weights."""
    dense = dense_weights(shapes)
    last = last_weights(shapes, regime)
    return Size(
        parameters=parameters(shapes, dense),
        active=parameters(shapes, last),
        flops=flops(dense),
        active_flops=flops(last),
    )
