"""What a pilot says of its tasks: mean return, share of the published return, and how far seeds
scatter, by task, regime and agent step.

    python benchmarks/pilot.py out/<plan id> ... [--csv results/dmc-small-pilot.csv]
    python benchmarks/pilot.py results/dmc-small-pilot.csv

The published return is that of MR.Q
after 1,000,000 environment steps: the mean of 10 seeds in the official repository's results.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from harness.folder import Folder
from harness.planning.plan import read_plan

KINDS = ("evaluation", "final")
PUBLISHED = {
    "cheetah-run": 914.2,
    "walker-walk": 978.9,
    "walker-run": 793.7,
    "quadruped-run": 947.9,
    "quadruped-walk": 963.2,
    "hopper-stand": 951.3,
    "finger-spin": 937.9,
}


class Point(NamedTuple):
    """One evaluation of one run."""

    pilot: str
    """The folder that its plan lies in: OUT of `mst-bench run --out OUT`."""
    task: str
    regime: str
    agent_step: int
    kind: str
    """evaluation, or final: of the final policy."""
    seed: int
    mean_return: float


def points_of(folder: Path) -> Iterator[Point]:
    """Every evaluation that a plan's runs have recorded."""
    files = Folder(folder)
    plan, pilot = read_plan(files.plan), folder.resolve().parent.name
    for run in plan.runs:
        records = files.run(run).records
        if not records.exists():
            continue
        for record in map(json.loads, records.read_text(encoding="utf-8").splitlines()):
            if record["kind"] in KINDS:
                mean = round(statistics.fmean(record["returns"]), 3)
                step, kind = record["agent_step"], record["kind"]
                yield Point(pilot, run.task, run.regime, step, kind, run.seed, mean)


def read_points(path: Path) -> Iterator[Point]:
    """The evaluations that `--csv` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            numbers = int(row["agent_step"]), row["kind"], int(row["seed"])
            yield Point(
                row["pilot"], row["task"], row["regime"], *numbers, float(row["mean_return"])
            )


def rows_of(points: list[Point]) -> Iterator[list[object]]:
    """A row for each pilot, task, regime and evaluation."""
    points.sort(key=lambda point: (*point[:4], KINDS.index(point.kind), point.seed))
    for key, group in groupby(points, key=lambda point: point[:5]):
        values = [point.mean_return for point in group]
        mean = statistics.fmean(values)
        deviation = statistics.stdev(values) if len(values) > 1 else math.nan
        share = f"{mean / PUBLISHED[key[1]]:.0%}" if key[1] in PUBLISHED else ""
        scatter = f"{deviation / mean:.2f}" if mean > 0 else ""
        yield [*key, len(values), f"{mean:.0f}", f"{deviation:.0f}", scatter, share]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, nargs="+", help="plan folders, or a file of --csv")
    parser.add_argument("--csv", type=Path, help="where all evaluations go")
    arguments = parser.parse_args()
    points = list[Point]()
    for source in arguments.source:
        points += points_of(source) if source.is_dir() else read_points(source)

    headers = ["pilot", "task", "regime", "agent step", "of", "seeds", "mean", "sd", "sd / mean"]
    rows = list(rows_of(points))
    print(tabulate(rows, headers=[*headers, "of published"], disable_numparse=True))
    if arguments.csv:
        with arguments.csv.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Point._fields)
            writer.writerows(points)


if __name__ == "__main__":
    main()
