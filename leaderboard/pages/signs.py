"""Failure signatures of runs, those of a kind in one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leaderboard.formats.run import StatedRun


@dataclass(frozen=True)
class Sign:
    """What some runs of a task and regime have shown."""

    name: str
    task: str
    regime: str
    seeds: list[int]
    of: int
    """Runs of the task and regime."""
    steps: tuple[int, int]
    """The first and the last agent step at which one of them showed it first."""
    values: tuple[float, float]
    """The least and the largest value."""


def signs(runs: Sequence[StatedRun]) -> list[Sign]:
    """Signatures by name, task and regime."""
    groups: dict[tuple[str, str, str], list[tuple[int, int, float]]] = {}
    for run in runs:
        for found in run.failure_signatures:
            seen = groups.setdefault((found.name, run.task, run.regime), [])
            seen.append((run.seed, found.agent_step, found.value))
    return [
        Sign(
            *group,
            seeds=[seed for seed, _, _ in seen],
            of=sum((run.task, run.regime) == group[1:] for run in runs),
            steps=(min(step for _, step, _ in seen), max(step for _, step, _ in seen)),
            values=(min(value for *_, value in seen), max(value for *_, value in seen)),
        )
        for group, seen in groups.items()
    ]
