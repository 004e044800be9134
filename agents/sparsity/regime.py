"""A regime: for each module a triple (distribution, schedule, rewire rule). `dense` is the null triple."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.sparsity.distribution import DISTRIBUTIONS
from agents.sparsity.schedule import Cosine, Never, Schedule

MODULES = ("encoder", "critic", "actor")

RULES: dict[str, str | None] = {"none": None, "rigl": "agents.sparsity.rewire:gradient_magnitude"}
"""Rewire rule -> place of its grow score; `none` never rewires."""


@dataclass(frozen=True)
class ModuleRegime:
    """How one module of one member is trained."""

    distribution: str = "dense"
    """How much per layer: dense, uniform or er."""
    rule: str = "none"
    """Which weights change: none (a fixed mask) or rigl."""
    sparsity: float = 0.0
    """Share of the module's Linear weights that is zero."""
    interval: int = 1000
    """Updates of this module between rewires (this project's choice; the paper's is unknown)."""
    drop_fraction: float = 0.3
    """Share of active weights dropped at the first rewire, before cosine decay."""
    end: float = 0.75
    """Share of the module's updates after which the mask stays."""

    def __post_init__(self) -> None:
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(f"unknown distribution '{self.distribution}', expected one of {', '.join(DISTRIBUTIONS)}")
        if self.rule not in RULES:
            raise ValueError(f"unknown rewire rule '{self.rule}', expected one of {', '.join(RULES)}")
        if not 0.0 <= self.sparsity < 1.0:
            raise ValueError(f"sparsity is {self.sparsity}, expected at least 0 and below 1")
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval}, expected at least 1 update")
        if not 0.0 < self.drop_fraction <= 1.0:
            raise ValueError(f"drop_fraction is {self.drop_fraction}, expected above 0 and at most 1")
        if not 0.0 < self.end <= 1.0:
            raise ValueError(f"end is {self.end}, expected above 0 and at most 1 (a share of the run)")

    @property
    def is_dense(self) -> bool:
        return self.distribution == "dense"

    def schedule(self, updates: int) -> Schedule:
        """When masks change, for a run of `updates` updates of this module."""
        return Never() if self.rule == "none" else Cosine(self.interval, self.drop_fraction, int(self.end * updates))


Regime = Mapping[str, ModuleRegime]
"""One triple for each of `MODULES`."""

TRIPLES: dict[str, tuple[str, str, str]] = {
    "dense": ("dense", "none", "every weight, always"),
    "static": ("er", "none", "Erdos-Renyi, drawn once before training (SST, arXiv 2506.17204)"),
    "rigl": ("er", "rigl", "Erdos-Renyi, drop by magnitude and grow by gradient (DST, arXiv 1911.11134)"),
}
"""Name in a suite file -> (distribution, rewire rule, meaning)."""

REGIMES: dict[str, tuple[dict[str, str], str]] = {
    "dense": ({"encoder": "dense", "critic": "dense", "actor": "dense"}, "no sparsity: what the others are compared with"),
    "sst": ({"encoder": "static", "critic": "static", "actor": "static"}, "static sparse everywhere"),
    "dst": ({"encoder": "rigl", "critic": "rigl", "actor": "rigl"}, "dynamic sparse everywhere"),
    "mst": ({"encoder": "dense", "critic": "rigl", "actor": "static"}, "module-specific: arXiv 2510.12096"),
    "stock": ({"encoder": "dense", "critic": "dense", "actor": "dense"}, "MR.Q as published, with blocks T4, T4, T3"),
}
"""Regime -> (triple of each module, meaning)."""
