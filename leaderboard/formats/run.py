"""A run: one learning curve, and what its result states of it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from leaderboard.formats.document import DocumentError, build, parse_json
from leaderboard.formats.names import check_name
from leaderboard.formats.schema import run_defects

RESULT_SCHEMA: Literal["urn:mst-bench:result:v2"] = "urn:mst-bench:result:v2"
MOST_MEMBERS = 4096
"""Runs of one cohort."""
MOST_SIGNATURES = 100
"""Failure signatures of one run."""


@dataclass(frozen=True)
class Run:
    """What one learning curve comes from."""

    task: str
    regime: str
    seed: int

    def __post_init__(self) -> None:
        check_name(self.task, "task")
        check_name(self.regime, "regime")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed is {self.seed}, expected at least 0 and below 2^31")

    @property
    def name(self) -> str:
        """`task/regime/seed`, also its folder under runs/."""
        return f"{self.task}/{self.regime}/{self.seed}"

    @property
    def group(self) -> str:
        """`task/regime`: runs that differ in nothing but their seeds."""
        return f"{self.task}/{self.regime}"

    @property
    def identity(self) -> tuple[str, str, int]:
        """The same as `name`, for comparisons of runs of whatever type."""
        return self.task, self.regime, self.seed


@dataclass(frozen=True)
class Failure:
    """Why a run has no score: the agent failed, or the infrastructure that it ran on."""

    kind: Literal["agent", "infrastructure"]
    reason: str
    agent_step: int

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("a failure has a reason")


@dataclass(frozen=True)
class Count:
    """Weights of a module, over all of its copies."""

    total: int
    active: int
    """The weights that the last masks keep."""

    def __post_init__(self) -> None:
        if not 0 <= self.active <= self.total or self.total == 0:
            raise ValueError(f"{self.active} of {self.total} weights are no count")

    @property
    def density(self) -> float:
        """Active share."""
        return self.active / self.total


@dataclass(frozen=True)
class FailureSignature:
    """A pattern of failing learning that papers describe, and when it first showed."""

    name: str
    agent_step: int
    value: float
    """The measure that crossed its limit."""


@dataclass(frozen=True)
class StatedRun(Run):
    """result.json, which is also one run of an entry's statement; a missing run states zeros."""

    status: Literal["finished", "failed", "missing"]
    failure: Failure | None
    score: float | None
    """Mean of the final returns."""
    final_returns: tuple[float, ...]
    """Of each episode of the final policy."""
    environment_steps: int
    updates: dict[str, int]
    """Of each module."""
    members: int
    """Runs of the cohort that trained it; 0 for a missing run."""
    weights: dict[str, Count]
    """Of each module."""
    parameters: dict[str, int]
    """`total` and `active`: weights and biases of all modules."""
    flops: dict[str, float]
    """`total` and `active`: operations of the learning of one agent step."""
    failure_signatures: tuple[FailureSignature, ...]
    rewires: dict[str, int]
    """Of each module."""
    mask_first: dict[str, str]
    """Digest of each module's first masks."""
    mask_last: dict[str, str]
    chain_head: str | None
    """Digest of the last record."""
    schema: Literal["urn:mst-bench:result:v2"] = RESULT_SCHEMA

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 if self.missing else 1) <= self.members <= MOST_MEMBERS:
            raise ValueError(f"members is {self.members}, expected 1 to {MOST_MEMBERS}")
        if len(self.failure_signatures) > MOST_SIGNATURES:
            raise ValueError(f"failure_signatures: expected at most {MOST_SIGNATURES}")
        self._check_status()

    def _check_status(self) -> None:
        """A finished run has a score and no failure; a failed one has a failure of its agent and no
        score; a missing one states nothing but, at most, a fault of the infrastructure."""
        measured = self.score is not None and bool(self.final_returns)
        unmeasured = self.score is None and not self.final_returns
        kind = self.failure.kind if self.failure is not None else None
        if self.finished and not (measured and kind is None):
            raise ValueError("is finished, which takes a score with its episodes, and no failure")
        if self.failed and not (unmeasured and kind == "agent"):
            raise ValueError("is failed, which takes a failure of the agent, and no score")
        nothing = not self.environment_steps and not self.weights and self.chain_head is None
        if self.missing and not (unmeasured and nothing and kind in (None, "infrastructure")):
            raise ValueError("is missing, and states a result or a failure of the agent")

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end."""
        return self.status == "finished"

    @property
    def failed(self) -> bool:
        """Whether its agent failed before the end."""
        return self.status == "failed"

    @property
    def missing(self) -> bool:
        """Whether it has no result."""
        return self.status == "missing"


def parse_result(content: bytes, location: str) -> StatedRun:
    """The result in the bytes of a result.json; DocumentError says what is wrong with them."""
    # The schema first: it is the published contract.
    document = parse_json(content, location)
    defects = run_defects(document)
    if defects:
        raise DocumentError(f"{location}: {defects[0]}.")
    return build(StatedRun, document, location)


def score(returns: Sequence[float]) -> float | None:
    """A run's score: the mean return of its final policy's episodes, None without any."""
    return math.fsum(returns) / len(returns) if returns else None


CSV_COLUMNS = ("task", "regime", "seed", "status", "score", "environment_steps", "updates")


def results_csv(runs: Iterable[StatedRun]) -> bytes:
    """results.csv: one row for each planned run, missing and failed ones included.

    The column `updates` reads `actor=480;critic=480`: modules by name.
    """
    # Line feeds on every system, so that a digest of the file holds everywhere.
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for run in runs:
        # `repr` is the shortest text that reads back as the very same number.
        points = "" if run.score is None else repr(run.score)
        updates = ";".join(f"{module}={count}" for module, count in sorted(run.updates.items()))
        steps = run.environment_steps
        writer.writerow([run.task, run.regime, run.seed, run.status, points, steps, updates])
    return text.getvalue().encode()
