"""From nothing to the first environment step of Dog Run: in a container of the image, and with this
installation.

    python benchmarks/container_start.py --image mst-bench [--rounds 25] [--json FILE]

Each round does both, and this installation once more as a control; the first round is left out.
Prints medians of the seconds and of the ratio, with its 5 to 95 percent range.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from core import save
from tabulate import tabulate

STEP = """
import numpy as np
import torch
from envs.tasks import TASKS
from envs.worker import Worker
from harness.options import Options
task = TASKS["dog-run"]
with Worker(Options.watchdog_seconds) as worker:
    pool = worker.pool(task, [[1]])
    pool.reset()
    pool.step(np.zeros((1, 1, task.action)))
"""
HULL = [
    "docker",
    "run",
    "--rm",
    "--init",
    "--network",
    "none",
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--entrypoint",
    "python",
]


def seconds(python: list[str]) -> float:
    """Wall time of the first step."""
    begin = time.perf_counter()
    subprocess.run([*python, "-P", "-c", STEP], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", default="mst-bench")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path, help="where every measured time goes, in seconds")
    arguments = parser.parse_args()
    ways = {
        "host": [sys.executable],
        "host again (A/A)": [sys.executable],
        "container": [*HULL, arguments.image],
    }
    times = np.array(
        [[seconds(python) for python in ways.values()] for _ in range(1 + arguments.rounds)][1:]
    )
    ratios = times / times[:, :1]
    rows = [
        [
            name,
            *(
                f"{value:.2f}"
                for value in (
                    np.median(times[:, i]),
                    np.median(ratios[:, i]),
                    *np.quantile(ratios[:, i], [0.05, 0.95]),
                )
            ),
        ]
        for i, name in enumerate(ways)
    ]
    print(
        tabulate(
            rows, headers=["", "seconds", "ratio to host", "5 %", "95 %"], disable_numparse=True
        )
    )
    save(arguments, seconds=dict(zip(ways, times.T.tolist(), strict=True)))


if __name__ == "__main__":
    main()
