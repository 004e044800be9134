"""A suite: what its file may state; reader.py reads one, and regimes.py resolves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from leaderboard.formats.plan import Evaluation
from leaderboard.formats.suite import Claim


@dataclass(frozen=True)
class Sparsity:
    """What every sparse module of the suite uses unless its regime says otherwise."""

    level: float = 0.6
    """Share of a sparse module's Linear weights that is zero (arXiv 2510.12096 uses 0.6)."""
    interval: int = 1000
    """Updates of a module between its rewires."""
    drop_fraction: float = 0.3
    """Share of active weights exchanged at the start of the cosine."""
    start: float | None = None
    """Share of the run before the first change; None: as the rule's row of TRIPLES says."""
    end: float | None = None
    """Share of the run after which masks stay; None: as the rule's row says."""
    regrown: Literal["keep", "zero"] = "keep"
    """What becomes of a weight that is dropped and grows again at the same rewire: it keeps its
    value and moments, as published, or becomes zero."""


@dataclass(frozen=True)
class Protocol(Evaluation):
    """The evaluation of a suite: a file states where it differs from these numbers."""

    every: int = 5000
    episodes: int = 10
    final_episodes: int = 50
    fresh_episodes: int = 200
    environments: int = 10


@dataclass(frozen=True)
class Scale:
    """How much larger than the agent's settings the networks are."""

    width: int = 1
    """Factor of every hidden layer's and embedding's width."""
    depth: int = 1
    """Factor of the number of hidden layers of each MLP."""

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")


@dataclass(frozen=True)
class Suite:
    """A suite file, as read."""

    suite: str
    """Its name. A suite that is not shipped, or was changed, is called `own-` and this name."""
    version: int
    """Raised whenever a number that decides results changes."""
    description: str
    """One line for `list suites`."""
    tasks: tuple[str, ...]
    """Task names."""
    regimes: tuple[str, ...]
    """Regimes to compare; `define` may add own ones."""
    seeds: int
    """Seeds of each task and regime."""
    first_seed: int = 0
    """Seed indices are first_seed .. first_seed + seeds - 1."""
    environment_steps: int = 1_000_000
    """Budget of one run: steps of the simulator."""
    action_repeat: int = 0
    """Environment steps of one agent step. The reader fills in the tasks' own where a file states
    none."""
    device: Literal["any", "cuda"] = "any"
    """What the suite needs; `--device` overrides."""
    agent: str = "mrq"
    """Algorithm."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Of matrix products: float32 is the reference; tf32 needs CUDA. Everything else is float32."""
    blocks: dict[str, str] = field(default_factory=dict)
    """Block type of each module, and how residuals are built (agents/members/blocks.py: RESIDUALS),
    where they differ from the agent's."""
    sparsity: Sparsity = field(default_factory=Sparsity)
    """Defaults of sparse modules."""
    scale: Scale = field(default_factory=Scale)
    """Size of the networks, as factors of the settings."""
    evaluation: Protocol = field(default_factory=Protocol)
    """Evaluation protocol."""
    claims: tuple[str, ...] = ()
    """Claims of the registry (`list claims`) that the suite judges."""
    tests: tuple[Claim, ...] = ()
    """Tests of claims that are in no registry."""
    settings: dict[str, object] = field(default_factory=dict)
    """The agent's settings that differ from its defaults."""
    define: dict[str, dict[str, object]] = field(default_factory=dict)
    """Own regimes by name. Each states for its modules a row of TRIPLES, or a mapping with rule,
    level, interval ..; and for a network of its own blocks, scale, settings, or match: the regime
    whose active weights a narrower network has."""

    @property
    def agent_steps(self) -> int:
        return self.environment_steps // self.action_repeat
