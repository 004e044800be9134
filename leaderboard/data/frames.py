"""Entries as pandas data frames, read from verified bytes (docs/data.md)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.data.tidy import COLUMNS, Recorded, cells, rows
from leaderboard.formats.layout import ENTRY, OWN_REEVAL
from leaderboard.statistics.scores import Scored, counting, finished, scored
from leaderboard.statistics.stats import iqm_interval, mean_interval, pooled_iqm
from leaderboard.verification.checks import Documents, Verdict
from leaderboard.verification.verify import verify

if TYPE_CHECKING:
    import pandas as pd

Cells = dict[str, object]
"""One row of a frame: column -> value."""

RUNS = {
    "plan": "str",
    "suite": "str",
    "level": "str",
    "task": "str",
    "regime": "str",
    "seed": "int64",
    "status": "str",
    "failure": "str",
    "score": "float64",
    "claimed": "float64",
    "counted": "float64",
    "environment_steps": "int64",
    "members": "int64",
    "parameters": "float64",
    "active_parameters": "float64",
    "flops": "float64",
    "active_flops": "float64",
}
"""Columns of `runs` and their types; `density.MODULE` follow."""
CURVES = {
    "plan": "str",
    "suite": "str",
    "verified": "bool",
    "task": "str",
    "regime": "str",
    "seed": "int64",
    "agent_step": "int64",
    "environment_step": "int64",
    "what": "str",
    "episode": "Int64",
    "value": "float64",
}
"""Columns of `curves` and their types."""
SCORES = {
    "plan": "str",
    "suite": "str",
    "task": "str",
    "regime": "str",
    "seeds": "int64",
    "finished": "int64",
    **dict.fromkeys(("mean", "low", "high", "iqm", "iqm_low", "iqm_high"), "float64"),
    "lowest": "float64",
    "highest": "float64",
}
"""Columns of `scores` and their types."""


class NotVerified(ValueError):
    """An entry that is not there, or fails a check; `verdict` is None where there is none."""

    def __init__(self, sentence: str, verdict: Verdict | None = None) -> None:
        super().__init__(sentence)
        self.verdict = verdict


@dataclass(frozen=True)
class Loaded:
    """Some entries as three data frames; what each column means stands in docs/data.md."""

    runs: pd.DataFrame
    """A row for each planned run, failed and missing ones included."""
    curves: pd.DataFrame
    """A row for each number that was measured: the table of `mst-bench export`."""
    scores: pd.DataFrame
    """A row for each task and regime: the table of a report."""


def load(*entries: str | Path, trust: str | Path | None = None) -> Loaded:
    """The entries at these paths, or in these plan folders, each verified first.

    `trust`: a trust file; with it, the scores of a re-evaluation beside an entry count. Raises
    NotVerified for a path without an entry and for an entry that fails a check.
    """
    import pandas as pd

    documents = [_verified(Path(path), None if trust is None else Path(trust)) for path in entries]
    runs = [run for verdict, each in documents for run in _runs(verdict, each)]
    curves = [cells(row) for _, each in documents for row in rows(recorded(each))]
    scores = [score for _, each in documents for score in _scores(each)]
    densities = {name: "float64" for run in runs for name in run if "density." in name}
    return Loaded(
        _frame(pd.DataFrame(runs, columns=[*RUNS, *densities]), RUNS | densities),
        _frame(pd.DataFrame(curves, columns=list(COLUMNS)), CURVES),
        _frame(pd.DataFrame(scores, columns=list(SCORES)), SCORES),
    )


def recorded(documents: Documents) -> Recorded:
    """The records of a verified entry."""

    def read(name: str) -> bytes | None:
        files = documents.files
        return files.read(name) if name in files.digests else None

    return Recorded(
        plan=documents.statement.predicate.plan.id,
        suite=documents.suite.name,
        verified=True,
        action_repeat=documents.plan.budget.action_repeat,
        runs=documents.plan.runs,
        read=read,
    )


def _frame(frame: pd.DataFrame, types: dict[str, str]) -> pd.DataFrame:
    """A frame whose columns have these types, also where it has no rows."""
    return frame.astype(types)


def _verified(path: Path, trust: Path | None) -> tuple[Verdict, Documents]:
    """The verdict on an entry and what it states; NotVerified if it is not accepted."""
    entry = path / ENTRY if path.is_dir() else path
    if not entry.exists():
        raise NotVerified(f"{entry}: no such file; `mst-bench run` signs one when it ends.")
    reeval = entry.with_name(OWN_REEVAL)
    beside = reeval if trust is not None and reeval.exists() else None
    verdict = verify(entry, trust, reeval=beside)
    if verdict.documents is None:
        failed = verdict.checks[-1]
        raise NotVerified(f"{entry}: does not verify: {failed.name}: {failed.detail}", verdict)
    return verdict, verdict.documents


def _scored(documents: Documents) -> list[Scored]:
    """Every planned run, and what it counts as."""
    reeval = documents.reeval
    measured = reeval.statement.predicate.runs if reeval is not None else ()
    fresh = {run.run: run.fresh for run in measured}
    return scored(documents.statement.predicate.runs, fresh)


def _runs(verdict: Verdict, documents: Documents) -> Iterator[Cells]:
    """The rows of `runs`."""
    predicate = documents.statement.predicate
    for run, counts in zip(predicate.runs, _scored(documents), strict=True):
        yield {
            "plan": predicate.plan.id,
            "suite": documents.suite.name,
            "level": verdict.level,
            "task": run.task,
            "regime": run.regime,
            "seed": run.seed,
            "status": run.status,
            "failure": run.failure.reason if run.failure else "",
            "score": counts.score,
            "claimed": run.score,
            "counted": counts.counted,
            "environment_steps": run.environment_steps,
            "members": run.members,
            "parameters": run.parameters.get("total"),
            "active_parameters": run.parameters.get("active"),
            "flops": run.flops.get("total"),
            "active_flops": run.flops.get("active"),
            **{f"density.{module}": count.density for module, count in run.weights.items()},
        }


def _scores(documents: Documents) -> Iterator[Cells]:
    """The rows of `scores`."""
    groups: dict[tuple[str, str], list[Scored]] = {}
    for run in _scored(documents):
        groups.setdefault((run.task, run.regime), []).append(run)
    for (task, regime), runs in groups.items():
        yield {
            "plan": documents.statement.predicate.plan.id,
            "suite": documents.suite.name,
            "task": task,
            "regime": regime,
            "seeds": len(runs),
            "finished": len(finished(runs)),
            **_interval(counting(runs)),
        }


def _interval(scores: Iterable[float]) -> Cells:
    """Mean and IQM of some scores, with their 95 percent intervals: NaN for one seed."""
    values = list(scores)
    mean = mean_interval(values)
    low, high = iqm_interval([values]) if len(values) > 1 else (math.nan, math.nan)
    return {
        "mean": mean.mean,
        "low": mean.mean - mean.half_width,
        "high": mean.mean + mean.half_width,
        "iqm": pooled_iqm([values]),
        "iqm_low": low,
        "iqm_high": high,
        "lowest": min(values),
        "highest": max(values),
    }
