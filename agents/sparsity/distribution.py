"""How a module's sparsity is shared out over its layers.

A distribution turns layer shapes and the module's sparsity into a density per layer; `exact_counts` turns densities into
whole numbers of active weights whose sum is the module's total exactly.
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

    eps makes the module's total come out; a layer whose density would pass 1 becomes dense and eps is solved again for
    the rest (Mocanu et al. 2018; RigL, arXiv 1911.11134, section 3).
    """
    target = (1.0 - sparsity) * sum(layer.size for layer in layers)
    full: set[int] = set()
    while True:
        open_layers = [index for index in range(len(layers)) if index not in full]
        budget = target - sum(layers[index].size for index in full)
        fans = sum(layers[index].fan_in + layers[index].fan_out for index in open_layers)
        scale = budget / fans if fans else 0.0
        raw = {
            i: scale * (layers[i].fan_in + layers[i].fan_out) / layers[i].size for i in open_layers
        }
        over = {index for index, density in raw.items() if density > 1.0}
        if not over:
            return [raw.get(index, 1.0) for index in range(len(layers))]
        full |= over


DISTRIBUTIONS: dict[str, Callable[[Sequence[Linear], float], list[float]]] = {
    "dense": dense,
    "uniform": uniform,
    "er": erdos_renyi,
    "erk": erdos_renyi,
}
"""Name -> densities. `erk` adds the kernel's sides to the fans; a Linear layer has none, so there it is `er`."""


def exact_counts(layers: Sequence[Linear], densities: Sequence[float]) -> list[int]:
    """Active weights per layer, their sum the rounded total, by largest remainder (ties: the earlier layer)."""
    wanted = [density * layer.size for density, layer in zip(densities, layers, strict=True)]
    total = round(sum(wanted))
    counts = [
        min(int(value + 1e-9), layer.size) for value, layer in zip(wanted, layers, strict=True)
    ]
    by_remainder = sorted(range(len(layers)), key=lambda i: (counts[i] - wanted[i], i))
    for index in by_remainder:
        if sum(counts) == total:
            break
        if counts[index] < layers[index].size:
            counts[index] += 1
    assert sum(counts) == total, "the largest remainder always closes the gap"
    return counts
