"""The comparison as a table: the scores of every task and regime, and who failed or is missing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tabulate import tabulate

from leaderboard.formats.run import Count
from leaderboard.statistics.stats import (
    benjamini_hochberg,
    collapsed,
    difference,
    e_values,
    improvement,
    iqm_interval,
    mean_interval,
    pooled_iqm,
)

DIFFERENCES = (
    "task",
    "regime",
    "a",
    "b",
    "b - a",
    "95% interval",
    "p (BH)",
    "P(b > a)",
    "seeds",
    "evidence",
    "pairs",
)


class Scored(Protocol):
    """What a table needs of a planned run; StatedRun has it."""

    @property
    def task(self) -> str: ...
    @property
    def regime(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def score(self) -> float | None: ...
    @property
    def weights(self) -> Mapping[str, Count]: ...


Group = tuple[str, str]
"""(task, regime)"""


def comparison(runs: Sequence[Scored], modules: Sequence[str]) -> str:
    """`comparison_rows` as plain text."""
    # Numbers are right-aligned, so that their digits stand below each other.
    titles = headers(modules)
    aligned = ("left", "left", *["right"] * (len(titles) - 2))
    return tabulate(
        comparison_rows(runs, modules), headers=titles, disable_numparse=True, colalign=aligned
    )


def headers(modules: Sequence[str]) -> tuple[str, ...]:
    """Titles of the columns; that of the density names the modules by their initials."""
    initials = "/".join(module[0] for module in modules)
    return (
        "task",
        "regime",
        "mean score",
        "95% t interval",
        "IQM",
        "95% bootstrap",
        "min",
        "max",
        "collapsed",
        "seeds",
        f"density {initials}".strip(),
        "failed",
        "missing",
    )


def comparison_rows(runs: Sequence[Scored], modules: Sequence[str]) -> list[list[str | int]]:
    """A row for each task and regime of planned runs; lost runs stay in the denominator."""
    rows = list[list[str | int]]()
    for (task, regime), seeds in _groups(runs).items():
        scores = _scores(seeds)
        counted = f"{len(scores)}/{len(seeds)}"

        # Why a seed has no score.
        statuses = [run.status for run in seeds]
        lost = [statuses.count("failed"), statuses.count("missing")]
        rows.append([task, regime, *_figures(scores), counted, _density(seeds, modules), *lost])
    return rows


def _groups(runs: Iterable[Scored]) -> dict[Group, list[Scored]]:
    """The seeds of each task and regime, in the order of the runs."""
    groups: dict[Group, list[Scored]] = {}
    for run in runs:
        groups.setdefault((run.task, run.regime), []).append(run)
    return groups


def _scores(runs: Iterable[Scored]) -> list[float]:
    return [run.score for run in runs if run.score is not None]


def _figures(scores: list[float]) -> list[str | int]:
    """Mean, interval, IQM, its interval, lowest, highest and collapsed seeds of a group."""
    if not scores:
        return ["-"] * 7

    # One seed has a mean and no interval.
    mean = mean_interval(scores)
    half_width = "-" if math.isnan(mean.half_width) else f"+- {mean.half_width:.1f}"
    low, high = iqm_interval([scores])
    spread = f"{low:.1f} to {high:.1f}" if len(scores) > 1 else "-"

    middle = f"{pooled_iqm([scores]):.1f}"
    ends = [f"{min(scores):.1f}", f"{max(scores):.1f}"]
    return [f"{mean.mean:.1f}", half_width, middle, spread, *ends, collapsed(scores)]


def _density(runs: Iterable[Scored], modules: Iterable[str]) -> str:
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


@dataclass(frozen=True)
class GroupDifference:
    """One group of runs on two sides, a and b."""

    task: str
    regime: str
    a: float
    """Mean score."""
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
    """e value of the pairs in the order of their seeds, at twice the spread of `a`. A value of 20
    decides at 5 percent, whenever one stops adding seeds. None without pairs, and where `a` has no
    spread."""


def differences(ours: Sequence[Scored], theirs: Sequence[Scored]) -> list[GroupDifference]:
    """Every group that both sides have a score of, theirs less ours."""
    # All groups are tested together: their p values are adjusted as one family.
    side_a = _groups(ours)
    side_b = _groups(theirs)
    shared = [
        group for group, runs in side_a.items() if _scores(runs) and _scores(side_b.get(group, []))
    ]
    tests = [difference([_scores(side_b[group])], [_scores(side_a[group])]) for group in shared]
    adjusted = benjamini_hochberg([test.p for test in tests])

    rows = list[GroupDifference]()
    for group, test, p in zip(shared, tests, adjusted, strict=True):
        a = _scores(side_a[group])
        b = _scores(side_b[group])

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
                evidence=_evidence(pairs, mean_interval(a).deviation),
            )
        )
    return rows


def _pairs(a: Iterable[Scored], b: Iterable[Scored]) -> list[float]:
    """b - a of every seed that both have a score of, in the order of the seeds."""
    scores_a = {run.seed: run.score for run in a if run.score is not None}
    scores_b = {run.seed: run.score for run in b if run.score is not None}
    return [scores_b[seed] - scores_a[seed] for seed in sorted(scores_a) if seed in scores_b]


def _evidence(pairs: list[float], spread: float) -> float | None:
    """The e value of all pairs; None where there is nothing to bet on."""
    return e_values(pairs, 2.0 * spread)[-1] if pairs and spread > 0.0 else None


def difference_table(rows: Iterable[GroupDifference]) -> str:
    """`differences` as plain text."""
    return tabulate(
        [_difference_row(row) for row in rows], headers=DIFFERENCES, disable_numparse=True
    )


def _difference_row(row: GroupDifference) -> list[str | int]:
    """The columns of DIFFERENCES; a dash stands for what few seeds cannot say."""
    means = [f"{row.a:.1f}", f"{row.b:.1f}", f"{row.difference:.1f}"]
    interval = "-" if row.interval is None else "{:.1f} to {:.1f}".format(*row.interval)
    p = "-" if row.p is None else f"{row.p:.2g}"
    evidence = "-" if row.evidence is None else f"{row.evidence:.3g}"

    # Columns that every row has
    better = f"{row.improvement:.2f}"
    seeds = f"{row.seeds[0]} and {row.seeds[1]}"
    return [row.task, row.regime, *means, interval, p, better, seeds, evidence, row.pairs]
