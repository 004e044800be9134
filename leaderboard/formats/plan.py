"""plan.json for whoever judges an entry: every field typed, every limit stated.

The harness has a type of its own (harness/planning/plan.py), which makes plans and trains by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from leaderboard.formats.run import Run

MODULE = r"[a-z][a-z0-9_]{0,39}"
"""Pattern of a module's name: its file of weights is named after it, so it must be no path."""
MOST = 10**12
"""Largest plausible number of steps or updates of a run."""

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

    def __post_init__(self) -> None:
        if not 0.0 <= self.sparsity < 1.0:
            raise ValueError(f"sparsity is {self.sparsity}, expected at least 0 and below 1")
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval}, expected at least 1")
        if not 0.0 <= self.start < self.end <= 1.0:
            raise ValueError(
                f"start is {self.start} and end {self.end}, expected 0 <= start < end <= 1"
            )


Regime = dict[str, Triple]
"""Module -> how it is trained."""


@dataclass(frozen=True)
class Budget:
    """How much every run does; results are checked against it by equality."""

    environment_steps: int
    agent_steps: int
    action_repeat: int
    updates: dict[str, int]
    """Of each module."""

    def __post_init__(self) -> None:
        steps = (self.environment_steps, self.agent_steps, self.action_repeat)
        if not all(1 <= count <= MOST for count in steps):
            raise ValueError(f"steps are {steps}, expected 1 to {MOST} each")
        if not all(0 <= count <= MOST for count in self.updates.values()):
            raise ValueError(f"updates are {self.updates}, expected 0 to {MOST} each")


@dataclass(frozen=True)
class Evaluation:
    """When and how a policy is measured."""

    every: int
    """Agent steps between evaluations."""
    episodes: int
    final_episodes: int
    environments: int


@dataclass(frozen=True)
class Own:
    """Settings and blocks in which a regime's network differs from the suite's."""

    settings: dict[str, object]
    blocks: dict[str, str]


@dataclass(frozen=True)
class Size:
    """Trained parameters of one run, and operations of the learning of one agent step."""

    parameters: int
    active: int
    flops: float
    active_flops: float


@dataclass(frozen=True)
class Plan:
    """plan.json."""

    schema: Literal["urn:mst-bench:plan:v2"]
    seed_source: str
    """`suite`, or the log whose root decides the seeds."""
    precision: Literal["float32", "tf32", "bfloat16"]
    agent: str
    modules: tuple[str, ...]
    """What every run trains, in the order of tables and pages."""
    policy_modules: tuple[str, ...]
    """The modules that acting needs: a re-evaluation loads them."""
    settings: dict[str, object]
    """The agent's own."""
    blocks: dict[str, str]
    own: dict[str, Own]
    """`task/regime` -> what its network has of its own."""
    regimes: dict[str, Regime]
    sizes: dict[str, Size]
    """`task/regime` -> how large its network is."""
    budget: Budget
    evaluation: Evaluation
    observations: dict[str, dict[str, int]]
    """For each task, the observation keys and widths that the agent sees."""
    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        self._check_modules()

        # Whatever judges a run looks up its task, its regime and its size.
        for run in self.runs:
            if run.task not in self.observations:
                raise ValueError(f"run {run.name}: observations state nothing of its task")
            if run.regime not in self.regimes:
                raise ValueError(f"run {run.name}: regimes state nothing of its regime")
            if run.group not in self.sizes:
                raise ValueError(f"run {run.name}: sizes state nothing of {run.group}")

    def _check_modules(self) -> None:
        """Every regime trains the plan's modules, and the budget counts their updates."""
        # Regimes are compared module by module.
        for name, regime in self.regimes.items():
            if set(regime) != set(self.modules):
                raise ValueError(f"regime {name}: trains other modules than the plan states")

        # Files are named after modules, and results are checked against their updates.
        for module in self.modules:
            if not re.fullmatch(MODULE, module) or module == "masks":
                raise ValueError(f"module {module!r}: expected a word of small letters, not masks")
            if module not in self.budget.updates:
                raise ValueError(f"budget: states no updates of module {module}")

        # A re-evaluation loads these, and acts with them alone.
        for module in self.policy_modules:
            if module not in self.modules:
                raise ValueError(f"policy_modules: {module} is not among the modules")

    @property
    def tasks(self) -> tuple[str, ...]:
        """In the plan's order."""
        return tuple(self.observations)
