"""What stepping environments in a watched worker costs over stepping them in the same process.

    python benchmarks/worker_cost.py [--rounds 25]

Each round steps a worker's pool and a plain one in turn; the first rounds are left out. Prints
medians of the milliseconds of an agent step, of their ratio and of their difference, with the 5 to
95 percent range of the difference.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    rows = []
    with Worker(Options.watchdog_seconds) as worker:
        for name, count in CASES:
            task = TASKS[name]
            pools = worker.pool(task, [range(count)]), Pool(task, [range(count)])
            action = np.zeros((1, count, task.action))
            for pool in pools:
                pool.reset()
            times = np.array(
                [[milliseconds(pool, action) for pool in pools] for _ in range(WARM + rounds)][
                    WARM:
                ]
            )
            more = times[:, 0] - times[:, 1]
            figures = (
                *np.median(times, 0),
                np.median(times[:, 0] / times[:, 1]),
                *np.quantile(more, [0.5, 0.05, 0.95]),
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
    print(tabulate(rows, headers=headers, disable_numparse=True))


if __name__ == "__main__":
    main()
