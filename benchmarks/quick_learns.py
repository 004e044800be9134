"""Did every regime of a finished suite learn? Against the uniform random policy and the same runs
before training.

    python benchmarks/quick_learns.py out/<plan id> [--deviations 5] [--json FILE]

For each task it plays the uniform random policy for 50 episodes, and asks of each regime's mean
score that it is above the random mean by 5 standard deviations of those episodes and above twice
the mean of its runs' untrained evaluations. Prints a table; exits 1 if a regime did not learn, 2 if
the folder is not a finished plan. Two seeds of another CPU may fare worse than those seen so far,
so an automatic check should ask for fewer deviations than a person who reads the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from envs.pool import Pool
from envs.tasks import TASKS
from harness.entries.entry import stated_runs
from harness.planning.plan import Plan, read_plan
from leaderboard.formats.run import StatedRun

EPISODES = 50


def random_returns(task: str, repeat: int) -> np.ndarray:
    """Returns of the uniform random policy [EPISODES]."""
    pool = Pool(TASKS[task], [range(1, EPISODES + 1)], repeat, auto_reset=False)
    pool.reset()
    rng, total = np.random.default_rng(0), np.zeros(EPISODES)
    for _ in range(TASKS[task].horizon // repeat):
        total += pool.step(rng.uniform(-1, 1, (1, EPISODES, TASKS[task].action))).reward[0]
    return total


def first_evaluation(folder: Path, run: StatedRun) -> float:
    """Mean return of a run before its first update."""
    path = folder / "runs" / run.name / "records.jsonl"
    return float(np.mean(json.loads(path.read_text().splitlines()[0])["returns"]))


@dataclass(frozen=True)
class Row:
    """A task under a regime."""

    task: str
    regime: str
    scores: list[float]
    """Of each seed."""
    random_mean: float
    random_deviation: float
    bar: float
    """What the mean score has to exceed."""
    untrained: float
    """Mean return before the first update."""
    rewires: int
    """Of the module that has most, in the run that has fewest."""

    @property
    def score(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.scores))

    @property
    def learned(self) -> bool:
        """Whether the score is above the bar and above twice what the networks began with."""
        return self.score > self.bar and self.score > 2.0 * self.untrained

    def cells(self) -> list[object]:
        """Of the table."""
        figures = (
            self.score,
            self.random_mean,
            self.random_deviation,
            self.bar,
            self.untrained,
        )
        shown = [f"{figure:.1f}" for figure in figures]
        return [self.task, self.regime, *shown, self.rewires, "yes" if self.learned else "NO"]


def rows_of(folder: Path, plan: Plan, deviations: float) -> list[Row]:
    """A row for each task and regime."""
    rows = []
    runs = stated_runs(folder, plan)
    for task in plan.observations:
        chance = random_returns(task, plan.budget.action_repeat)
        mean, deviation = float(chance.mean()), float(chance.std(ddof=1))
        for regime in plan.regimes:
            mine = [run for run in runs if (run.task, run.regime) == (task, regime)]
            scores = [run.score or 0.0 for run in mine]
            untrained = float(np.mean([first_evaluation(folder, run) for run in mine]))
            rewires = min(max(run.rewires.values(), default=0) for run in mine)
            bar = mean + deviations * deviation
            rows.append(Row(task, regime, scores, mean, deviation, bar, untrained, rewires))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="out/<plan id>, of a finished run")
    parser.add_argument("--deviations", type=float, default=5.0)
    parser.add_argument("--json", type=Path, help="where every figure goes")
    arguments = parser.parse_args()
    if not (arguments.folder / "entry.dsse.json").exists():
        parser.error(
            f"{arguments.folder}: no entry.dsse.json in it; expected out/<plan id> of a finished"
            " run"
        )
    plan = read_plan(arguments.folder / "plan.json")
    rows = rows_of(arguments.folder, plan, arguments.deviations)
    headers = [
        "task",
        "regime",
        "mean score",
        "random mean",
        "random sd",
        "bar",
        "untrained",
        "rewires",
        "learned",
    ]
    print(tabulate([row.cells() for row in rows], headers=headers, disable_numparse=True))
    if arguments.json:
        suite = {"plan": plan.id, "suite": plan.suite.name, "version": plan.suite.version}
        document = {**suite, "rows": [asdict(row) for row in rows]}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    sys.exit(0 if all(row.learned for row in rows) else 1)


if __name__ == "__main__":
    main()
