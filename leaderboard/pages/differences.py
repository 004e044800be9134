"""Two entries of one plan side by side: the difference of every task and regime."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from leaderboard.formats.catalogue import return_range
from leaderboard.pages.table import Column, groups_of, rows_of
from leaderboard.statistics.scores import Scored, claims, counting, finished
from leaderboard.statistics.stats import (
    benjamini_hochberg,
    difference,
    e_values,
    improvement,
    mean_interval,
)

SCALE = 0.2
"""Share of a task's range up to which a pair's difference is evidence in full. Taken from the
scores themselves, as twice their spread, it would make e values that are none."""


@dataclass(frozen=True)
class Beside:
    """What stands beside the mean of one side of a group."""

    lost: int
    """Runs that failed or are missing; they count as the floor."""
    finished: float | None
    """Mean of the finished runs; None without any."""
    claimed: float | None
    """Mean that the entry claims of its finished runs."""

    @classmethod
    def of(cls, runs: Sequence[Scored]) -> Beside:
        """Of the runs of a group."""
        return cls(sum(run.lost for run in runs), _mean(finished(runs)), _mean(claims(runs)))


@dataclass(frozen=True)
class GroupDifference:
    """One group of runs on two sides, a and b."""

    task: str
    regime: str
    a: float
    """Mean over all planned runs."""
    b: float
    difference: float
    """b - a."""
    interval: tuple[float, float] | None
    """95 percent; None below two seeds on both sides."""
    p: float | None
    """Adjusted by Benjamini and Hochberg; None below two seeds."""
    improvement: float
    """P(b > a)."""
    seeds: tuple[int, int]
    pairs: int
    """Seeds that both sides have."""
    evidence: float | None
    """e value of the pairs in the order of their seeds, on a scale that the task alone decides. A
    value of 20 decides at 5 percent, whenever one stops adding seeds. None without pairs."""
    beside: tuple[Beside, Beside]


def differences(ours: Sequence[Scored], theirs: Sequence[Scored]) -> list[GroupDifference]:
    """Every group that both sides have, theirs less ours; lost runs count as the floor."""
    # All groups are tested together: their p values are adjusted as one family.
    side_a = groups_of(ours)
    side_b = groups_of(theirs)
    shared = [
        group
        for group, runs in side_a.items()
        if counting(runs) and counting(side_b.get(group, []))
    ]
    tests = [difference([counting(side_b[group])], [counting(side_a[group])]) for group in shared]
    adjusted = benjamini_hochberg([test.p for test in tests])

    rows = list[GroupDifference]()
    for group, test, p in zip(shared, tests, adjusted, strict=True):
        a = counting(side_a[group])
        b = counting(side_b[group])

        # The same seed on both sides starts from the same weights and resets.
        pairs = _pairs(side_a[group], side_b[group])
        rows.append(
            GroupDifference(
                task=group[0],
                regime=group[1],
                a=mean_interval(a).mean,
                b=mean_interval(b).mean,
                difference=test.value,
                interval=None if math.isnan(test.low) else (test.low, test.high),
                p=None if math.isnan(p) else p,
                improvement=improvement([b], [a]),
                seeds=(len(a), len(b)),
                pairs=len(pairs),
                evidence=_evidence(pairs, group[0]),
                beside=(Beside.of(side_a[group]), Beside.of(side_b[group])),
            )
        )
    return rows


def _mean(scores: list[float]) -> float | None:
    return mean_interval(scores).mean if scores else None


def _pairs(a: Iterable[Scored], b: Iterable[Scored]) -> list[float]:
    """b - a of every seed that both have, in the order of the seeds."""
    scores_a = {run.seed: run.counted for run in a if run.counted is not None}
    scores_b = {run.seed: run.counted for run in b if run.counted is not None}
    return [scores_b[seed] - scores_a[seed] for seed in sorted(scores_a) if seed in scores_b]


def _evidence(pairs: list[float], task: str) -> float | None:
    """The e value of all pairs; None where there is nothing to bet on."""
    low, high = return_range(task)
    return e_values(pairs, SCALE * (high - low))[-1] if pairs else None


def difference_table(rows: Sequence[GroupDifference]) -> str:
    """`differences` as plain text; a dash stands for what few seeds cannot say."""
    columns = [
        Column("task", [row.task for row in rows]),
        Column("regime", [row.regime for row in rows]),
        Column("a", [f"{row.a:.1f}" for row in rows]),
        Column("b", [f"{row.b:.1f}" for row in rows]),
        *_beside(rows),
        Column("b - a", [f"{row.difference:.1f}" for row in rows]),
        Column("95% interval", [_interval(row.interval) for row in rows]),
        Column("p (BH)", [_text(row.p, ".2g") for row in rows]),
        Column("P(b > a)", [f"{row.improvement:.2f}" for row in rows]),
        Column("seeds", [f"{row.seeds[0]} and {row.seeds[1]}" for row in rows]),
        Column("evidence", [_text(row.evidence, ".3g") for row in rows]),
        Column("pairs", [str(row.pairs) for row in rows]),
    ]
    headers = [column.title for column in columns]
    return tabulate(rows_of(columns), headers=headers, disable_numparse=True)


def _beside(rows: Sequence[GroupDifference]) -> list[Column]:
    """Lost runs, means without them, and claimed means: only where there is something to say."""
    columns = list[Column]()
    sides = list(zip(*(row.beside for row in rows), strict=True))
    if any(side.lost for both in sides for side in both):
        lost = [f"{a.lost} and {b.lost}" for a, b in (row.beside for row in rows)]
        columns.append(Column("failed or missing", lost))
        for name, side in zip("ab", sides, strict=True):
            figures = [_text(group.finished, ".1f") for group in side]
            columns.append(Column(f"{name}, finished only", figures))

    # A claim that was not measured anew is the mean itself.
    if any(side.claimed != side.finished for both in sides for side in both):
        for name, side in zip("ab", sides, strict=True):
            figures = [_text(group.claimed, ".1f") for group in side]
            columns.append(Column(f"{name}, claimed", figures))
    return columns


def _interval(ends: tuple[float, float] | None) -> str:
    return "-" if ends is None else "{:.1f} to {:.1f}".format(*ends)


def _text(figure: float | None, form: str) -> str:
    return "-" if figure is None else format(figure, form)
