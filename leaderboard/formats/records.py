"""Reads the records of a run: its evaluations, as far as they are whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboard.formats import strict_json


@dataclass(frozen=True)
class Recorded:
    """The evaluations of one run, as recorded."""

    regime: str
    seed: int
    evaluations: list[dict[str, Any]]


def read_evaluations(folder: Path, runs: list[dict[str, Any]]) -> list[Recorded]:
    """What the runs of a plan folder recorded at each scheduled evaluation. Lines that are not whole records are passed over: a
    run that is under way may be writing one."""
    places = [
        folder / "runs" / run["task"] / run["regime"] / str(run["seed"]) / "records.jsonl"
        for run in runs
    ]
    return [
        Recorded(run["regime"], run["seed"], list(_evaluations(path)))
        for run, path in zip(runs, places, strict=True)
    ]


def _evaluations(path: Path) -> Iterable[dict[str, Any]]:
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            record = strict_json.parse(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("kind") == "evaluation":
            yield record
