"""Returns of the residual pilot (results/residual-pilot.yaml), regime by regime.

    python benchmarks/residual_returns.py out/<plan id> [--csv results/residual-returns.csv]

Score: mean return of a run's final policy. Area: mean of its scheduled evaluations after the
warm-up. Means over seeds with 95 percent t intervals. Runs that are not finished are left out, and
the table says how many seeds it has.
"""

from __future__ import annotations

import argparse
import csv
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tabulate import tabulate

from harness.entries.entry import stated_runs
from harness.planning.plan import Plan, read_plan
from leaderboard.formats.records import learning_curves
from leaderboard.statistics.stats import mean_interval


@dataclass(frozen=True)
class Returns:
    """One finished run."""

    regime: str
    seed: int
    score: float
    area: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="out/<plan id>")
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    plan = read_plan(arguments.folder / "plan.json")
    returns = finished(arguments.folder, plan)

    table = []
    for regime in dict.fromkeys(run.regime for run in plan.runs):
        runs = [run for run in returns if run.regime == regime]
        if len(runs) > 1:
            score = interval([run.score for run in runs])
            area = interval([run.area for run in runs])
            table.append([regime, len(runs), score, area])
    print(tabulate(table, headers=["blocks", "seeds", "score", "area"], tablefmt="github"))

    if arguments.csv:
        with arguments.csv.open("w", newline="") as file:
            names = [field.name for field in fields(Returns)]
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(run) for run in returns)


def finished(folder: Path, plan: Plan) -> list[Returns]:
    """Score and area of every finished run."""

    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.exists() else None

    warmup = plan.agent_settings().learning_starts
    runs = stated_runs(folder, plan)
    found = []
    for run, curve in zip(runs, learning_curves(runs, read), strict=True):
        if run.score is None:
            continue
        means = [record.mean_return for record in curve.evaluations if record.agent_step > warmup]
        area = math.fsum(means) / len(means)
        found.append(Returns(run.regime, run.seed, round(run.score, 2), round(area, 2)))
    return found


def interval(values: list[float]) -> str:
    """Mean and half of its 95 percent t interval."""
    mean = mean_interval(values)
    return f"{mean.mean:.0f} +- {mean.half_width:.0f}"


if __name__ == "__main__":
    main()
