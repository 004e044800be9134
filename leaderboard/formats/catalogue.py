"""What tasks and algorithms there are, for whoever judges an entry without torch or a simulator.

catalogue.json is written by `make tables` from the tables of envs and agents.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

from leaderboard.formats.document import parse

SLACK = 1e-6
"""Share of a task's range by which a sum of rewards may leave it through rounding."""


@dataclass(frozen=True)
class Task:
    """A task."""

    observations: dict[str, int]
    """Observation keys and widths that an agent sees."""
    returns: tuple[float, ...]
    """Lowest and highest return of an episode."""
    horizon: int
    """Environment steps of an episode that runs into its time limit."""


@dataclass(frozen=True)
class Algorithm:
    """An algorithm."""

    modules: tuple[str, ...]
    """What every run of it trains, in the order of tables and pages."""
    policy_modules: tuple[str, ...]
    """The modules that acting needs."""
    settings: tuple[str, ...]
    """Names of its settings."""
    blocks: tuple[str, ...]
    """Modules whose hidden layers have a block type."""


@dataclass(frozen=True)
class Catalogue:
    """catalogue.json."""

    tasks: dict[str, Task]
    algorithms: dict[str, Algorithm]
    rules: tuple[str, ...]
    """Ways to train one module."""
    distributions: tuple[str, ...]
    """How sparsity is spread over the layers of a module."""
    blocks: tuple[str, ...]
    """Types of hidden layers."""
    residual_blocks: tuple[str, ...]
    """Those that have a residual; the others ignore how residuals are built."""
    residuals: dict[str, tuple[str, ...]]
    """Setting of residuals -> its values."""


@functools.cache
def catalogue() -> Catalogue:
    """The catalogue of this version."""
    content = resources.files("leaderboard.formats").joinpath("catalogue.json").read_bytes()
    return parse(Catalogue, content, "catalogue.json")


def return_range(task: str) -> tuple[float, float]:
    """Lowest and highest return of an episode of a task of the catalogue. The lowest is the task's
    floor: what a run without a score counts as."""
    low, high = catalogue().tasks[task].returns
    return low, high


def is_possible(task: str, episode_return: float) -> bool:
    """Whether an episode of a task can return so much."""
    return lies_within(episode_return, *return_range(task))


def lies_within(episode_return: float, low: float, high: float) -> bool:
    """Whether a return lies in a range, but for the rounding of a sum of rewards."""
    slack = SLACK * (high - low)
    return low - slack <= episode_return <= high + slack
