"""What every planned run counts as, whether it finished or not.

A run without a score counts as its task's floor, the lowest return that an episode can have: bad
seeds do not leave a mean. While a plan is under way, a run that nobody has carried out yet does not
count at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from leaderboard.formats.catalogue import return_range
from leaderboard.formats.run import Count, Run

Status = Literal["finished", "failed", "missing"]


class Stated(Protocol):
    """What is needed of a run as somebody states it; StatedRun has it."""

    @property
    def task(self) -> str: ...
    @property
    def regime(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def status(self) -> Status: ...
    @property
    def score(self) -> float | None: ...
    @property
    def weights(self) -> Mapping[str, Count]: ...


@dataclass(frozen=True)
class Scored(Run):
    """A planned run, for statistics and pages."""

    status: Status
    score: float | None
    """Mean return of the final policy: measured anew if it was, else as claimed; None for a run
    that failed or is missing."""
    claimed: float | None
    """The same as the entry claims it."""
    counted: float | None
    """What it counts as: its score, or its task's floor. None: it is still to be carried out."""
    weights: Mapping[str, Count]
    """Of each module."""

    @property
    def lost(self) -> bool:
        """Whether it counts as the floor."""
        return self.score is None and self.counted is not None

    @property
    def missing(self) -> bool:
        """Whether an entry lacks it: nothing that it belongs to is ranked."""
        return self.status == "missing" and self.counted is not None


def counted(run: Stated) -> float:
    """The score of a run, or its task's floor."""
    return return_range(run.task)[0] if run.score is None else run.score


def scored(
    runs: Iterable[Stated], fresh: Mapping[str, float] | None = None, under_way: bool = False
) -> list[Scored]:
    """Planned runs and what they count as.

    `fresh`: name -> mean return measured anew, of every finished run; None or empty: the claims
    count. `under_way`: whether runs without a result are still to come.
    """
    return [_scored(run, fresh or {}, under_way) for run in runs]


def _scored(run: Stated, fresh: Mapping[str, float], under_way: bool) -> Scored:
    named = Run(run.task, run.regime, run.seed)
    score = run.score
    if fresh and score is not None:
        score = fresh[named.name]

    # Whatever has no score counts as the floor, unless it may still get one.
    counts = score
    if score is None and not (under_way and run.status == "missing"):
        counts = counted(run)
    return Scored(
        task=run.task,
        regime=run.regime,
        seed=run.seed,
        status=run.status,
        score=score,
        claimed=run.score,
        counted=counts,
        weights=run.weights,
    )


def counting(runs: Iterable[Scored]) -> list[float]:
    """What these runs count as, without those that are still to come."""
    return [run.counted for run in runs if run.counted is not None]


def finished(runs: Iterable[Scored]) -> list[float]:
    """Scores of these runs, without those that failed or are missing."""
    return [run.score for run in runs if run.score is not None]


def claims(runs: Iterable[Scored]) -> list[float]:
    """Scores of these runs as the entry claims them."""
    return [run.claimed for run in runs if run.claimed is not None]
