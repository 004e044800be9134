"""Does `stock` learn as published? The mean of our seeds beside MR.Q's own curve, at each
evaluation.

    mst-bench run --suite results/cartpole-parity.yaml --device cpu --members 1
    python benchmarks/learning_parity.py out/<plan id>
        results/mrq-published-cartpole-swingup.csv --at 25000

z is the difference of the means in units of the published standard deviation times sqrt(1/ours +
1/theirs). Prints a table; exits 0 if |z| <= 2 at `--at`, 1 if not, 2 if no run has come that
far.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path

from tabulate import tabulate

from harness.planning.plan import read_plan
from leaderboard.formats.records import learning_curves
from leaderboard.formats.run import Run
from leaderboard.pages.curves import returns_panel


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "published", type=Path, help="CSV with agent_step, seeds, mean_return, sd_return."
    )
    parser.add_argument("--at", type=int, default=25_000, help="Agent step at which to judge.")
    arguments = parser.parse_args()
    plan = read_plan(arguments.folder / "plan.json")
    runs = [Run(run.task, run.regime, run.seed) for run in plan.runs if run.regime == "stock"]
    panel = returns_panel(
        learning_curves(runs, lambda name: (arguments.folder / name).read_bytes())
    )
    curves = [dict(zip(curve.steps, curve.values, strict=True)) for curve in panel.curves]
    rows, judged = [], None
    with open(arguments.published, encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step = int(row["agent_step"])
            ours = [
                curve[step * plan.budget.action_repeat]
                for curve in curves
                if step * plan.budget.action_repeat in curve
            ]
            if not ours:
                continue
            mean, published, deviation = (
                math.fsum(ours) / len(ours),
                float(row["mean_return"]),
                float(row["sd_return"]),
            )
            z = (mean - published) / (deviation * math.sqrt(1 / len(ours) + 1 / int(row["seeds"])))
            seeds = " ".join(f"{value:.1f}" for value in ours)
            rows.append(
                [step, seeds, f"{mean:.1f}", f"{published:.1f} +- {deviation:.1f}", f"{z:+.2f}"]
            )
            judged = z if step == arguments.at else judged
    print(
        tabulate(
            rows, headers=["agent steps", "seeds", "mean", "published", "z"], disable_numparse=True
        )
    )
    if judged is None:
        print(f"no run has come to {arguments.at} agent steps", file=sys.stderr)
        return 2
    return 0 if abs(judged) <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
