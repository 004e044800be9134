"""The comparison as a table: for every task and regime, mean score with its interval, and who is failed or missing."""

from __future__ import annotations

import math
from typing import Any

from tabulate import tabulate

from leaderboard.formats.statement import MODULES
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

HEADERS = (
    "task", "regime", "mean score", "95% t interval", "IQM", "95% bootstrap", "min", "max", "collapsed", "seeds",
    "density e/c/a", "failed", "missing",
)  # fmt: skip
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


def comparison(runs: list[dict[str, Any]]) -> str:
    """`comparison_rows` as plain text."""
    aligned = ("left", "left", *["right"] * (len(HEADERS) - 2))
    return tabulate(comparison_rows(runs), headers=HEADERS, disable_numparse=True, colalign=aligned)


def comparison_rows(runs: list[dict[str, Any]]) -> list[list[Any]]:
    """A row for each task and regime of planned runs (as an entry states them); lost ones stay in the denominator."""
    rows = []
    for task, regime in dict.fromkeys((run["task"], run["regime"]) for run in runs):
        mine = [run for run in runs if (run["task"], run["regime"]) == (task, regime)]
        scores = [run["score"] for run in mine if run["score"] is not None]
        lost = {
            status: sum(run["status"] == status for run in mine) for status in ("failed", "missing")
        }
        rows.append(
            [
                task,
                regime,
                *_figures(scores),
                f"{len(scores)}/{len(mine)}",
                _density(mine),
                lost["failed"],
                lost["missing"],
            ]
        )
    return rows


def _figures(scores: list[float]) -> list[Any]:
    if not scores:
        return ["-"] * 7
    found = mean_interval(scores)
    interval = "-" if math.isnan(found.half_width) else f"+- {found.half_width:.1f}"
    low, high = iqm_interval([scores])
    spread = f"{low:.1f} to {high:.1f}" if len(scores) > 1 else "-"
    middle = f"{pooled_iqm([scores]):.1f}"
    return [
        f"{found.mean:.1f}",
        interval,
        middle,
        spread,
        f"{min(scores):.1f}",
        f"{max(scores):.1f}",
        collapsed(scores),
    ]


def differences(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each task and regime of both: means, difference b - a with its interval, p by Benjamini and Hochberg, P(b > a).

    `evidence`: e value of the pairs with one seed, in the order of the seeds, at twice the spread of `a`: 20 decides at 5
    percent whenever one stops adding seeds. None where `a` has no spread or no seed is in both.
    """
    cells = [_scores(runs) for runs in (ours, theirs)]
    both = [cell for cell in cells[0] if cell in cells[1] and cells[0][cell] and cells[1][cell]]
    tests = [difference([cells[1][cell]], [cells[0][cell]]) for cell in both]
    adjusted = benjamini_hochberg([test.p for test in tests])
    return [
        {
            "task": cell[0],
            "regime": cell[1],
            "a": mean_interval(cells[0][cell]).mean,
            "b": mean_interval(cells[1][cell]).mean,
            "difference": test.value,
            "interval": None if math.isnan(test.low) else [test.low, test.high],
            "p": None if math.isnan(p) else p,
            "improvement": improvement([cells[1][cell]], [cells[0][cell]]),
            "seeds": [len(cells[0][cell]), len(cells[1][cell])],
            "pairs": len(_pairs(ours, theirs, cell)),
            "evidence": _evidence(
                _pairs(ours, theirs, cell), mean_interval(cells[0][cell]).deviation
            ),
        }
        for cell, test, p in zip(both, tests, adjusted, strict=True)
    ]


def _pairs(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], cell: tuple[str, str]
) -> list[float]:
    """b - a of every seed that both have in a cell."""
    found = [
        {
            run["seed"]: run["score"]
            for run in runs
            if (run["task"], run["regime"]) == cell and run["score"] is not None
        }
        for runs in (ours, theirs)
    ]
    return [found[1][seed] - found[0][seed] for seed in sorted(found[0]) if seed in found[1]]


def _evidence(pairs: list[float], spread: float) -> float | None:
    return e_values(pairs, 2.0 * spread)[-1] if pairs and spread > 0.0 else None


def difference_table(found: list[dict[str, Any]]) -> str:
    """`differences` as plain text."""
    rows = []
    for row in found:
        interval = "-" if row["interval"] is None else "{:.1f} to {:.1f}".format(*row["interval"])
        p = "-" if row["p"] is None else f"{row['p']:.2g}"
        numbers = [f"{row[name]:.1f}" for name in ("a", "b", "difference")]
        seeds = "{} and {}".format(*row["seeds"])
        evidence = "-" if row["evidence"] is None else f"{row['evidence']:.3g}"
        better = f"{row['improvement']:.2f}"
        rows.append(
            [
                row["task"],
                row["regime"],
                *numbers,
                interval,
                p,
                better,
                seeds,
                evidence,
                row["pairs"],
            ]
        )
    return tabulate(rows, headers=DIFFERENCES, disable_numparse=True)


def _scores(runs: list[dict[str, Any]]) -> dict[tuple[str, str], list[float]]:
    found = dict[tuple[str, str], list[float]]()
    for run in runs:
        cell = found.setdefault((run["task"], run["regime"]), [])
        if run["score"] is not None:
            cell.append(run["score"])
    return found


def _density(runs: list[dict[str, Any]]) -> str:
    """Active share of each module's weights, of the first run that has any."""
    weights = next((run["weights"] for run in runs if run["weights"]), None)
    if weights is None:
        return "-"
    return "/".join(f"{weights[m]['active'] / weights[m]['total']:.2f}" for m in MODULES)
