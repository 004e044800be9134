"""A network as a plan states it: layers, how sparse each is, and when its masks change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from leaderboard.formats.catalogue import catalogue

Schedule = Literal["never", "exchange", "prune", "grow"]
"""When masks change: never; exchange (as many grow as are dropped); prune; grow."""


@dataclass(frozen=True)
class Triple:
    """How one module is trained: how much of it, when masks change, which weights."""

    rule: str
    distribution: str
    """How much per layer; `dense` leaves every weight."""
    schedule: Schedule
    sparsity: float
    """Fraction of zeros in the sparse parts, in the first masks; for `prune`, in the last."""
    interval: int
    """Updates between rewires."""
    drop_fraction: float
    start: float
    """Share of the updates before the first change."""
    end: float
    """Share of the updates after which masks stay."""
    parts: tuple[str, ...]
    """Sparse parts, by the first word of their layers' names; none: all."""
    regrown: Literal["keep", "zero"]
    """What becomes of a weight that is dropped and grows again at the same rewire."""

    def __post_init__(self) -> None:
        known = catalogue()
        if self.rule not in known.rules or self.distribution not in known.distributions:
            raise ValueError(f"unknown rule {self.rule!r} or distribution {self.distribution!r}")
        if not 0.0 <= self.sparsity < 1.0:
            raise ValueError(f"sparsity is {self.sparsity}, expected at least 0 and below 1")
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval}, expected at least 1")
        if not 0.0 < self.drop_fraction <= 1.0:
            raise ValueError(f"drop_fraction is {self.drop_fraction}, expected above 0, at most 1")
        if not 0.0 <= self.start < self.end <= 1.0:
            raise ValueError(
                f"start is {self.start} and end {self.end}, expected 0 <= start < end <= 1"
            )


Regime = dict[str, Triple]
"""Module -> how it is trained."""


@dataclass(frozen=True)
class Layer:
    """One Linear layer of one copy of a module."""

    fan_in: int
    fan_out: int
    first: int
    """Weights that its first mask keeps."""
    last: int
    """Weights that its last mask keeps."""

    def __post_init__(self) -> None:
        if min(self.fan_in, self.fan_out) < 1:
            raise ValueError(f"a layer of {self.fan_in} x {self.fan_out} weights has none")
        if not all(0 <= kept <= self.weights for kept in (self.first, self.last)):
            raise ValueError(f"{self.first} and {self.last} of {self.weights} weights are kept")

    @property
    def weights(self) -> int:
        """All of them; biases are not counted."""
        return self.fan_in * self.fan_out


@dataclass(frozen=True)
class Network:
    """One module of one run."""

    copies: int
    """Networks of the module: two for a critic that is a pair."""
    layers: dict[str, Layer]
    """By name."""

    def __post_init__(self) -> None:
        if self.copies < 1 or not self.layers:
            raise ValueError("a network has at least one copy and one layer")

    @property
    def weights(self) -> int:
        """Of all copies, kept or not."""
        return self.copies * sum(layer.weights for layer in self.layers.values())

    @property
    def kept_first(self) -> int:
        """Weights that the first masks of all copies keep."""
        return self.copies * sum(layer.first for layer in self.layers.values())

    @property
    def kept(self) -> int:
        """Weights that the last masks of all copies keep."""
        return self.copies * sum(layer.last for layer in self.layers.values())

    @property
    def biases(self) -> int:
        """Of all copies. Biases are never masked."""
        return self.copies * sum(layer.fan_out for layer in self.layers.values())

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors in the module's file of weights."""
        shapes = dict[str, tuple[int, ...]]()
        for name, layer in self.layers.items():
            shapes[f"{name}.weight"] = (self.copies, layer.fan_in, layer.fan_out)
            shapes[f"{name}.bias"] = (self.copies, 1, layer.fan_out)
        return shapes

    def check_kept(self, triple: Triple) -> None:
        """ValueError unless the first and the last masks keep as many weights in all as `triple`
        does."""
        parts = {name.partition(".")[0] for name in self.layers}
        unknown = set(triple.parts) - parts
        if unknown:
            raise ValueError(f"parts: {', '.join(sorted(unknown))} is no part of it")

        # Only the sparse parts lose weights.
        dense = sum(layer.weights for layer in self.layers.values())
        chosen = sum(
            layer.weights
            for name, layer in self.layers.items()
            if not triple.parts or name.partition(".")[0] in triple.parts
        )
        sparsity = 0.0 if triple.distribution == "dense" else triple.sparsity
        sparse = dense - chosen + round((1.0 - sparsity) * chosen)

        # A mask that is pruned begins dense, one that grows ends dense.
        first = sum(layer.first for layer in self.layers.values())
        last = sum(layer.last for layer in self.layers.values())
        begins = dense if triple.schedule == "prune" else sparse
        ends = dense if triple.schedule == "grow" else sparse
        if (first, last) != (begins, ends):
            raise ValueError(
                f"its masks keep {first} weights at first and {last} at last, its regime keeps"
                f" {begins} and {ends}"
            )

        # Nothing moves between layers but by pruning and growing.
        moved = any(layer.first != layer.last for layer in self.layers.values())
        if begins == ends and moved:
            raise ValueError("a layer keeps another number of weights at last than at first")


Networks = Mapping[str, Network]
"""Module -> network of one run."""


@dataclass(frozen=True)
class Size:
    """Trained parameters of one run, and operations of the learning of one agent step."""

    parameters: int
    active: int
    flops: float
    active_flops: float

    def check(self, networks: Networks) -> None:
        """ValueError unless the parameters are those of the networks."""
        biases = sum(network.biases for network in networks.values())
        total = biases
        active = biases
        for network in networks.values():
            total += network.weights
            active += network.kept
        if (self.parameters, self.active) != (total, active):
            raise ValueError(
                f"{self.active} of {self.parameters} parameters are active, its layers have"
                f" {active} of {total}"
            )
