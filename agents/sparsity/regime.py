"""A regime: for each module a triple (how much per layer, when, which weights).

`dense` is the null triple. A new way to train one module is a row of TRIPLES, and a grow score of
its own if it needs one (docs/regimes.md).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.members.blocks import Linear
from agents.sparsity.distribution import DISTRIBUTIONS, exact_counts
from agents.sparsity.schedule import Exchange, Move, Never, Schedule


@dataclass(frozen=True)
class Triple:
    """One way to train a module."""

    distribution: str
    """How much per layer: a row of DISTRIBUTIONS."""
    schedule: str
    """When: never, exchange (as many weights grow as are dropped), prune (dense to sparse) or grow
    (sparse to dense)."""
    score: str | None
    """Which weights grow: a row of GROW_SCORES (agents/sparsity/rewire.py), None where none grow.
    The weights that are dropped always have the smallest magnitude."""
    meaning: str
    start: float = 0.0
    """Share of the module's updates before the first change; a suite may set another."""
    end: float = 0.75
    """Share of the module's updates after which the mask stays; a suite may set another."""


TRIPLES: dict[str, Triple] = {
    "dense": Triple("dense", "never", None, "every weight, always"),
    "static": Triple(
        "er", "never", None, "Erdos-Renyi, drawn once before training (SST, arXiv 2506.17204)"
    ),
    "rigl": Triple(
        "er",
        "exchange",
        "gradient",
        "Erdos-Renyi, drop by magnitude, grow by gradient (DST, arXiv 1911.11134)",
    ),
    "set": Triple(
        "er",
        "exchange",
        "chance",
        "the same, grow by chance (SET, Mocanu et al. 2018)",
    ),
    "d2s": Triple(
        "er",
        "prune",
        None,
        "dense to sparse, cubic magnitude pruning (Zhu and Gupta 2017)",
        start=0.2,
        end=0.8,
    ),
    "s2d": Triple(
        "er", "grow", "gradient", "sparse to dense, grow by gradient at a cosine-decayed rate"
    ),
}
"""Name in a suite file -> how a module is trained."""

SCHEDULES = ("never", "exchange", "prune", "grow")
"""When masks change."""


REGROWN = ("keep", "zero")
"""What becomes of a weight that is dropped and grows again at the same rewire. keep: its value and
its moments stay (RigL's code: `reinit_when_same=False`). zero: both become zero, as those of every
other grown weight."""


@dataclass(frozen=True)
class ModuleRegime:
    """How one module of one member is trained: a triple with all its numbers."""

    rule: str = "dense"
    """A row of TRIPLES."""
    distribution: str = "dense"
    """How much per layer: dense, uniform or er."""
    schedule: str = "never"
    """When masks change: never, exchange, prune or grow."""
    sparsity: float = 0.0
    """Fraction of zeros in the sparse parts, in the initial mask; for `prune`, in the final one."""
    interval: int = 1000
    """Updates of this module between rewires (this project's choice; the paper's is unknown)."""
    drop_fraction: float = 0.3
    """Share of active weights that the first rewire exchanges, before cosine decay."""
    start: float = 0.0
    """Share of the module's updates before the first change."""
    end: float = 0.75
    """Share of the module's updates after which the mask stays."""
    parts: tuple[str, ...] = ()
    """Parts of the module that are sparse, by the first word of their layers' names (such as zs,
    za, zsa, model); empty means all."""
    regrown: str = "keep"
    """A row of REGROWN: what becomes of a weight that is dropped and grows at the same rewire."""

    def __post_init__(self) -> None:
        tables: dict[str, Collection[str]] = {
            "rule": TRIPLES,
            "distribution": DISTRIBUTIONS,
            "schedule": SCHEDULES,
            "regrown": REGROWN,
        }
        for name, known in tables.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"unknown {name} '{getattr(self, name)}', expected one of {', '.join(known)}"
                )

        if not 0.0 <= self.sparsity < 1.0:
            raise ValueError(f"sparsity is {self.sparsity}, expected at least 0 and below 1")
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval}, expected at least 1 update")
        if not 0.0 < self.drop_fraction <= 1.0:
            raise ValueError(
                f"drop_fraction is {self.drop_fraction}, expected above 0 and at most 1"
            )
        if not 0.0 <= self.start < self.end <= 1.0:
            raise ValueError(
                f"start is {self.start} and end {self.end}, expected 0 <= start < end <= 1"
                " (shares of the run)"
            )

    @classmethod
    def of(cls, rule: str, **numbers: Any) -> ModuleRegime:
        """A row of TRIPLES, its numbers replaced by `numbers`."""
        triple = TRIPLES[rule]
        row = {
            "distribution": triple.distribution,
            "schedule": triple.schedule,
            "start": triple.start,
            "end": triple.end,
        }
        return cls(rule, **{**row, **numbers})

    @property
    def is_dense(self) -> bool:
        """Whether no weight is ever masked."""
        return self.distribution == "dense"

    def times(self, updates: int) -> Schedule:
        """When masks change, for a run of `updates` updates of this module."""
        start = int(self.start * updates)
        end = int(self.end * updates)
        if self.schedule == "never":
            return Never()
        if self.schedule == "exchange":
            return Exchange(self.interval, self.drop_fraction, start, end)
        return Move(self.interval, start, end, pruning=self.schedule == "prune")

    def counts(self, layers: Sequence[Linear]) -> tuple[list[int], list[int]]:
        """Active weights of each layer in the first and in the last mask.

        Raises ValueError if `parts` names a part that the module does not have.
        """
        known = list(dict.fromkeys(layer.part for layer in layers))
        for part in self.parts:
            if part not in known:
                raise ValueError(
                    f"parts: '{part}' is no part of this module,"
                    f" expected some of {', '.join(known)}"
                )

        # Distribute the sparsity over the sparse parts alone.
        chosen = [layer for layer in layers if not self.parts or layer.part in self.parts]
        counts = exact_counts(chosen, DISTRIBUTIONS[self.distribution](chosen, self.sparsity))
        by_name = dict(zip([layer.name for layer in chosen], counts, strict=True))

        dense = [layer.size for layer in layers]
        sparse = [by_name.get(layer.name, layer.size) for layer in layers]
        first = dense if self.schedule == "prune" else sparse
        last = dense if self.schedule == "grow" else sparse
        return first, last


Regime = Mapping[str, ModuleRegime]
"""One triple for each module of an algorithm."""


@dataclass(frozen=True)
class Named:
    """A regime with a name of its own."""

    meaning: str
    modules: Mapping[str, str] = field(default_factory=dict)
    """Module -> row of TRIPLES, where it is not `everywhere`."""
    everywhere: str = "dense"
    """The row of TRIPLES of every other module."""
    match: str | None = None
    """The regime whose active weights a narrower network of this one has, or None."""
    blocks: Mapping[str, str] = field(default_factory=dict)
    """Module -> block type that it has in every suite; the others have the suite's."""

    def of(self, modules: Sequence[str]) -> dict[str, str]:
        """The row of TRIPLES of each module of an algorithm, and of any other one named here."""
        return {**dict.fromkeys(modules, self.everywhere), **self.modules}


REGIMES: dict[str, Named] = {
    "dense": Named("no sparsity: what the others are compared with"),
    "sst": Named("static sparse everywhere", everywhere="static"),
    "dst": Named("dynamic sparse everywhere", everywhere="rigl"),
    "mst": Named(
        "module-specific: arXiv 2510.12096", modules={"critic": "rigl", "actor": "static"}
    ),
    "sst-ac": Named(
        "control at MST's density: static critic and actor",
        modules={"critic": "static", "actor": "static"},
    ),
    "dst-ac": Named(
        "control at MST's density: dynamic critic and actor",
        modules={"critic": "rigl", "actor": "rigl"},
    ),
    "swap": Named(
        "control at MST's density: static critic, dynamic actor",
        modules={"critic": "static", "actor": "rigl"},
    ),
    "dense-matched": Named(
        "control: a dense, narrower network with as many parameters as MST has active ones",
        match="mst",
    ),
    "stock": Named(
        "MR.Q's own network, in every suite",
        blocks={"encoder": "T4", "critic": "T4", "actor": "T3"},
    ),
    "set": Named("dynamic sparse everywhere, growing by chance", everywhere="set"),
    "d2s": Named("dense to sparse everywhere", everywhere="d2s"),
    "s2d": Named("sparse to dense everywhere", everywhere="s2d"),
}
"""Name -> regime."""
