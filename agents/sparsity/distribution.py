"""How a module's sparsity is distributed over its layers.

A distribution turns layer shapes and the module's sparsity into a density per layer. `exact_counts`
turns densities into whole numbers of active weights, whose sum is exactly the module's total.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.members.blocks import Linear


def dense(layers: Sequence[Linear], sparsity: float) -> list[float]:
    """Every weight of every layer."""
    return [1.0 for _ in layers]


def uniform(layers: Sequence[Linear], sparsity: float) -> list[float]:
    """The same density in every layer."""
    return [1.0 - sparsity for _ in layers]


def erdos_renyi(layers: Sequence[Linear], sparsity: float) -> list[float]:
    """Erdos-Renyi densities: layer l keeps eps (in + out) / (in out) of its weights.

    eps is solved from the module's total. A layer whose density would exceed 1 becomes dense, and
    eps is solved again for the others (Mocanu et al. 2018; RigL, arXiv 1911.11134, section 3).
    """
    target = (1.0 - sparsity) * sum(layer.size for layer in layers)
    full: set[int] = set()
    while True:
        # Solve eps for the layers that are not dense, after the dense ones took their weights.
        open_layers = [index for index in range(len(layers)) if index not in full]
        budget = target - sum(layers[index].size for index in full)
        fans = sum(layers[index].fan_in + layers[index].fan_out for index in open_layers)
        scale = budget / fans if fans else 0.0
        raw = {
            i: scale * (layers[i].fan_in + layers[i].fan_out) / layers[i].size for i in open_layers
        }

        # Layers above density 1 become dense; that leaves more to the others, so solve again.
        over = {index for index, density in raw.items() if density > 1.0}
        if not over:
            return [raw.get(index, 1.0) for index in range(len(layers))]
        full |= over


DISTRIBUTIONS: dict[str, Callable[[Sequence[Linear], float], list[float]]] = {
    "dense": dense,
    "uniform": uniform,
    "er": erdos_renyi,
}
"""Name -> densities."""


def exact_counts(layers: Sequence[Linear], densities: Sequence[float]) -> list[int]:
    """Active weights per layer, their sum the rounded total.

    Rounds by the largest remainder; among equal remainders the earlier layer comes first.
    """
    exact = [density * layer.size for density, layer in zip(densities, layers, strict=True)]
    total = round(sum(exact))

    # Round down, but not the 2.9999999996 of a product that should be 3.
    counts = [min(int(n + 1e-9), layer.size) for n, layer in zip(exact, layers, strict=True)]

    # Hand out the missing weights, first to the layers that lost most by rounding.
    by_remainder = sorted(range(len(layers)), key=lambda i: (counts[i] - exact[i], i))
    for index in by_remainder:
        if sum(counts) == total:
            break
        if counts[index] < layers[index].size:
            counts[index] += 1
    assert sum(counts) == total, "the largest remainder always closes the gap"
    return counts
