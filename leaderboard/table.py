"""The comparison as a table: for every task and regime, mean score with its interval, and who is failed or missing."""

from __future__ import annotations

import math
from typing import Any

from tabulate import tabulate

from leaderboard.statement import MODULES
from leaderboard.stats import mean_interval

HEADERS = ("task", "regime", "mean score", "95% t interval", "min", "max", "seeds", "density e/c/a", "failed", "missing")


def comparison(runs: list[dict[str, Any]]) -> str:
    """`comparison_rows` as plain text."""
    return tabulate(comparison_rows(runs), headers=HEADERS, disable_numparse=True, colalign=("left", "left", *["right"] * 8))


def comparison_rows(runs: list[dict[str, Any]]) -> list[list[Any]]:
    """A row for each task and regime of planned runs (as an entry states them); lost ones stay in the denominator."""
    rows = []
    for task, regime in dict.fromkeys((run["task"], run["regime"]) for run in runs):
        mine = [run for run in runs if (run["task"], run["regime"]) == (task, regime)]
        scores = [run["score"] for run in mine if run["score"] is not None]
        lost = {status: sum(run["status"] == status for run in mine) for status in ("failed", "missing")}
        rows.append(
            [task, regime, *_figures(scores), f"{len(scores)}/{len(mine)}", _density(mine), lost["failed"], lost["missing"]]
        )
    return rows


def _figures(scores: list[float]) -> list[str]:
    if not scores:
        return ["-", "-", "-", "-"]
    found = mean_interval(scores)
    interval = "-" if math.isnan(found.half_width) else f"+- {found.half_width:.1f}"
    return [f"{found.mean:.1f}", interval, f"{min(scores):.1f}", f"{max(scores):.1f}"]


def _density(runs: list[dict[str, Any]]) -> str:
    """Active share of each module's weights, of the first run that has any."""
    weights = next((run["weights"] for run in runs if run["weights"]), None)
    if weights is None:
        return "-"
    return "/".join(f"{weights[m]['active'] / weights[m]['total']:.2f}" for m in MODULES)
