"""Does `stock` learn as published? The mean of our seeds beside MR.Q's own curve, at each
evaluation.

    mst-bench run --suite results/cartpole-parity.yaml --device cpu --members 1
    python benchmarks/learning_parity.py out/<plan id>
        results/mrq-published-cartpole-swingup.csv [--at 25000] [--json FILE]

z is the difference of the means in units of the published standard deviation times sqrt(1/ours +
1/theirs). Prints a table; exits 0 if |z| <= 2 at `--at`, 1 if not, 2 if no run has come that
far. A file that `--json` wrote may stand in the folder's place.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from harness.planning.plan import read_plan
from leaderboard.formats.records import learning_curves
from leaderboard.formats.run import Run
from leaderboard.pages.curves import returns_panel

Returns = dict[int, list[float]]
"""Agent step -> mean return of each seed that has come so far."""


def returns_of(folder: Path) -> Returns:
    """The curves of the runs of `stock` in a plan folder."""
    plan = read_plan(folder / "plan.json")
    repeat = plan.budget.action_repeat
    runs = [Run(run.task, run.regime, run.seed) for run in plan.runs if run.regime == "stock"]
    panel = returns_panel(learning_curves(runs, lambda name: (folder / name).read_bytes()))
    returns: Returns = {}
    for curve in panel.curves:
        for step, value in zip(curve.steps, curve.values, strict=True):
            returns.setdefault(step // repeat, []).append(value)
    return returns


def read_returns(path: Path) -> Returns:
    """The curves that `--json` wrote."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return {int(step): values for step, values in document["returns"].items()}


class Row(NamedTuple):
    """One evaluation of ours and of the published runs."""

    step: int
    ours: list[float]
    mean: float
    deviation: float
    z: float

    def cells(self) -> list[object]:
        """Of the table."""
        seeds = " ".join(f"{value:.1f}" for value in self.ours)
        mean = f"{math.fsum(self.ours) / len(self.ours):.1f}"
        return [
            self.step,
            seeds,
            mean,
            f"{self.mean:.1f} +- {self.deviation:.1f}",
            f"{self.z:+.2f}",
        ]


def compared(returns: Returns, published: Path) -> list[Row]:
    """The evaluations that both have."""
    rows = []
    with published.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            ours = returns.get(int(row["agent_step"]), [])
            if not ours:
                continue
            mean, deviation = float(row["mean_return"]), float(row["sd_return"])
            error = deviation * math.sqrt(1 / len(ours) + 1 / int(row["seeds"]))
            z = (math.fsum(ours) / len(ours) - mean) / error
            rows.append(Row(int(row["agent_step"]), ours, mean, deviation, z))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="out/<plan id>, or a file of `--json`")
    parser.add_argument(
        "published", type=Path, help="CSV with agent_step, seeds, mean_return, sd_return."
    )
    parser.add_argument("--at", type=int, default=25_000, help="Agent step at which to judge.")
    parser.add_argument("--json", type=Path, help="where our returns go")
    arguments = parser.parse_args()

    whole = arguments.folder.is_dir()
    returns = returns_of(arguments.folder) if whole else read_returns(arguments.folder)
    rows = compared(returns, arguments.published)
    headers = ["agent steps", "seeds", "mean", "published", "z"]
    print(tabulate([row.cells() for row in rows], headers=headers, disable_numparse=True))
    if arguments.json:
        arguments.json.write_text(json.dumps({"returns": returns}, indent=1) + "\n")

    judged = [row.z for row in rows if row.step == arguments.at]
    if not judged:
        print(f"no run has come to {arguments.at} agent steps", file=sys.stderr)
        return 2
    return 0 if abs(judged[0]) <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
