"""How often a table of rows that are alike has a wrong rank interval, and what differences it sees.

    python benchmarks/rank_intervals.py [--tables 1000] [--json FILE]

Every row of a table draws its seeds from the same models of noise (noise.py). A table is wrong if
any row is shown to be above another. Then one row is moved up by 20 percent: how often it is shown
to be above a given other row, and how often it is alone in the first place.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from noise import OWN, SCENARIOS, Model
from scipy.special import betaincinv
from tabulate import tabulate

from leaderboard.statistics.ranking import Contender, rank_intervals, separated

ROWS = (12, 40)
SEEDS = (5, 10)
EFFECT = 1.2
"""The better row's scores, as a multiple of the others'."""


@dataclass(frozen=True)
class Figures:
    """What was counted of one model, size of the table and number of seeds."""

    model: str
    rows: int
    seeds: int
    tables: int
    wrong: float
    """Share of tables of equal rows with any wrong rank interval."""
    wrong_low: float
    """Of its exact 95 percent interval (Clopper and Pearson)."""
    wrong_high: float
    width: float
    """Mean number of places in a rank interval of equal rows."""
    pair: float
    """How often a row that is 20 percent better is above a given other one."""
    alone: float
    """How often it is alone in the first place."""


def table(
    models: list[Model], rows: int, seeds: int, generator: np.random.Generator, best: float = 1.0
) -> list[Contender]:
    """A table of rows that are alike, but for the first, whose scores are `best` times as high."""
    contenders = list[Contender]()
    for row in range(rows):
        factor = best if row == 0 else 1.0
        contenders.append(
            Contender([(factor * model(generator, seeds)).tolist() for model in models])
        )
    return contenders


def figures(name: str, models: list[Model], rows: int, seeds: int, tables: int) -> Figures:
    """Counts over many tables."""
    generator = np.random.Generator(np.random.PCG64([rows, seeds]))
    wrong = alone = 0
    widths = list[float]()
    pairs = list[float]()
    for _ in range(tables):
        # All alike: whatever is separated is wrong.
        intervals = rank_intervals(table(models, rows, seeds, generator))
        widths += [interval.worst - interval.best + 1 for interval in intervals]
        wrong += any((interval.best, interval.worst) != (1, rows) for interval in intervals)

        # The first is better.
        above = separated(table(models, rows, seeds, generator, EFFECT))
        pairs.append(float(above[0, 1:].mean()))
        alone += bool(above[0, 1:].all())
    low, high = exact_interval(wrong, tables)
    return Figures(
        model=name,
        rows=rows,
        seeds=seeds,
        tables=tables,
        wrong=wrong / tables,
        wrong_low=round(low, 4),
        wrong_high=round(high, 4),
        width=round(float(np.mean(widths)), 3),
        pair=round(float(np.mean(pairs)), 4),
        alone=alone / tables,
    )


def exact_interval(count: int, trials: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 percent interval of a share."""
    low = 0.0 if count == 0 else float(betaincinv(count, trials - count + 1, 0.025))
    high = 1.0 if count == trials else float(betaincinv(count + 1, trials - count, 0.975))
    return low, high


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="where the figures go")
    arguments = parser.parse_args()

    counted = list[Figures]()
    for name, models in {**SCENARIOS, **OWN}.items():
        for rows in ROWS:
            for seeds in SEEDS:
                counted.append(figures(name, models, rows, seeds, arguments.tables))
                print(counted[-1], flush=True)
    print(tabulate([asdict(each) for each in counted], headers="keys", tablefmt="github"))
    if arguments.json:
        lines = ",\n".join(json.dumps(asdict(each)) for each in counted)
        arguments.json.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
