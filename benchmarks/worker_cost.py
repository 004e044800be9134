"""What stepping environments in a watched worker costs over stepping them in the same process.

    python benchmarks/worker_cost.py [--rounds 25] [--json FILE]

Each round steps a worker's pool and a plain one in turn; the first rounds are left out. Prints
medians of the milliseconds of an agent step, of their ratio and of their difference, with the 5 to
95 percent range of the difference.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from core import save
from tabulate import tabulate

from envs.pool import Pool
from envs.tasks import TASKS
from envs.worker import WatchedPool, Worker
from harness.options import Options

CASES = (("cartpole-swingup", 4), ("humanoid-run", 8), ("dog-run", 4))
WARM, STEPS = 2, 50


def milliseconds(pool: Pool | WatchedPool, action: np.ndarray) -> float:
    """Mean of an agent step."""
    begin = time.perf_counter()
    for _ in range(STEPS):
        pool.step(action)
    return (time.perf_counter() - begin) / STEPS * 1000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path, help="where every measured time goes, in ms")
    arguments = parser.parse_args()
    measured = measure(arguments.rounds)
    print(table(measured))
    save(arguments, milliseconds=measured)


def measure(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of an agent step of each case, watched and plain, in every round."""
    measured = {}
    with Worker(Options.watchdog_seconds) as worker:
        for name, count in CASES:
            task = TASKS[name]
            pools = worker.pool(task, [range(count)]), Pool(task, [range(count)])
            action = np.zeros((1, count, task.action))
            for pool in pools:
                pool.reset()
            times = [[milliseconds(pool, action) for pool in pools] for _ in range(WARM + rounds)]
            watched, plain = np.transpose(times[WARM:]).tolist()
            measured[name] = {"watched": watched, "plain": plain}
    return measured


def table(measured: dict[str, dict[str, list[float]]]) -> str:
    """A row for each case: medians, and the range of the difference."""
    rows = []
    for name, count in CASES:
        watched, plain = (np.array(measured[name][way]) for way in ("watched", "plain"))
        figures = (
            np.median(watched),
            np.median(plain),
            np.median(watched / plain),
            *np.quantile(watched - plain, [0.5, 0.05, 0.95]),
        )
        rows.append([name, count, *(f"{value:.2f}" for value in figures)])
    headers = [
        "task",
        "environments",
        "watched ms",
        "plain ms",
        "ratio",
        "difference ms",
        "5 %",
        "95 %",
    ]
    return tabulate(rows, headers=headers, disable_numparse=True)


if __name__ == "__main__":
    main()
