"""The comparison as a table: the scores of every task and regime, and who failed or is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from leaderboard.statistics.scores import Scored, claims, counting, finished
from leaderboard.statistics.stats import (
    FEW,
    collapsed,
    iqm_interval,
    mean_interval,
    pooled_iqm,
)

Group = tuple[str, str]
"""(task, regime)"""


@dataclass(frozen=True)
class Column:
    """A column of the comparison."""

    title: str
    cells: list[str]


def comparison(runs: Sequence[Scored], modules: Sequence[str]) -> str:
    """`comparison_columns` as plain text."""
    # Numbers are right-aligned, so that their digits stand below each other.
    columns = comparison_columns(runs, modules)
    aligned = ("left", "left", *["right"] * (len(columns) - 2))
    return tabulate(
        rows_of(columns),
        headers=[column.title for column in columns],
        disable_numparse=True,
        colalign=aligned,
    )


def rows_of(columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """The same row by row."""
    return list(zip(*(column.cells for column in columns), strict=True))


def comparison_columns(runs: Sequence[Scored], modules: Sequence[str]) -> list[Column]:
    """A row for each task and regime of planned runs, task and regime first.

    Failed and missing runs count as the floor; where a group has any, the mean of its finished runs
    stands beside. So does the mean that the entry claims, where scores were measured anew.
    """
    groups = groups_of(runs)
    seeds = list(groups.values())
    figures = [_figures(counting(group)) for group in seeds]
    columns = [
        Column("task", [task for task, _ in groups]),
        Column("regime", [regime for _, regime in groups]),
        Column("mean score", [row[0] for row in figures]),
        Column("95% t interval", [row[1] for row in figures]),
    ]

    # What is said only where there is something to say.
    if any(run.lost for run in runs):
        columns.append(Column("finished only", [_finished_mean(group) for group in seeds]))
    if any(run.score != run.claimed for run in runs):
        columns.append(Column("claimed", [_mean(claims(group)) for group in seeds]))

    # The other figures, and who has none.
    for index, title in enumerate(("IQM", "95% bootstrap", "min", "max"), 2):
        columns.append(Column(title, [row[index] for row in figures]))
    columns.append(Column("collapsed", [_collapsed(group) for group in seeds]))
    columns.append(Column("seeds", [f"{len(finished(group))}/{len(group)}" for group in seeds]))
    initials = "/".join(module[0] for module in modules)
    densities = [density_text(group, modules) for group in seeds]
    return [*columns, Column(f"density {initials}".strip(), densities), *_without_score(seeds)]


def _without_score(groups: Sequence[Sequence[Scored]]) -> list[Column]:
    """Numbers of runs that failed, that an entry lacks, and that are still to come."""

    def column(title: str, applies: Callable[[Scored], bool]) -> Column:
        return Column(title, [str(sum(map(applies, group))) for group in groups])

    columns = [
        column("failed", lambda run: run.status == "failed"),
        column("missing", lambda run: run.missing),
    ]
    if any(run.counted is None for group in groups for run in group):
        columns.append(column("to come", lambda run: run.counted is None))
    return columns


def groups_of(runs: Iterable[Scored]) -> dict[Group, list[Scored]]:
    """The seeds of each task and regime, in the order of the runs."""
    groups: dict[Group, list[Scored]] = {}
    for run in runs:
        groups.setdefault((run.task, run.regime), []).append(run)
    return groups


def _figures(scores: list[float]) -> list[str]:
    """Mean, interval, IQM, its interval, lowest and highest score of a group."""
    if not scores:
        return ["-"] * 6

    # One seed has a mean and no interval.
    mean = mean_interval(scores)
    half_width = "-" if math.isnan(mean.half_width) else f"+- {mean.half_width:.1f}"
    # Resamples of a few seeds are too much alike: their interval would be far too narrow.
    spread = "-"
    if len(scores) >= FEW:
        low, high = iqm_interval([scores])
        spread = f"{low:.1f} to {high:.1f}"

    middle = f"{pooled_iqm([scores]):.1f}"
    return [
        f"{mean.mean:.1f}",
        half_width,
        middle,
        spread,
        f"{min(scores):.1f}",
        f"{max(scores):.1f}",
    ]


def _mean(scores: list[float]) -> str:
    return f"{mean_interval(scores).mean:.1f}" if scores else "-"


def _finished_mean(runs: Sequence[Scored]) -> str:
    """The mean without lost runs; empty for a group without any."""
    return _mean(finished(runs)) if any(run.lost for run in runs) else ""


def _collapsed(runs: Sequence[Scored]) -> str:
    """Number of finished runs that collapsed."""
    scores = finished(runs)
    return str(collapsed(scores)) if scores else "-"


def density_text(runs: Iterable[Scored], modules: Iterable[str]) -> str:
    """Active share of each module's weights, of the first run that states them."""
    stating = next((run for run in runs if run.weights), None)
    if stating is None:
        return "-"

    # Seeds of a regime have the same number of active weights.
    densities = list[str]()
    for module in modules:
        count = stating.weights.get(module)
        densities.append("-" if count is None else f"{count.density:.2f}")
    return "/".join(densities)
