"""What a worker's start costs with EnvPool's own list of environments, and with dm_control's alone.

    python benchmarks/worker_start.py [--rounds 10] [--json FILE]

Each round starts one process of each kind in turn, which makes a pool and ends; the first round is
left out. Prints medians of the seconds of CPU that such a process takes, and of their ratio.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from core import save

POOL = "from envs.pool import Pool; from envs.tasks import TASKS; Pool(TASKS['{task}'], [[1]])"
KINDS = {"all": f"import envpool; {POOL}", "dm_control": POOL}
"""Name -> code of a process. EnvPool imported first brings its own list."""


def seconds(code: str) -> float:
    """CPU that a process of this code takes, of all its threads."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--task", default="cartpole-swingup")
    parser.add_argument("--json", type=Path, help="where every measured time goes")
    arguments = parser.parse_args()

    codes = {name: code.format(task=arguments.task) for name, code in KINDS.items()}
    rounds = range(1 + arguments.rounds)
    measured = [{name: seconds(code) for name, code in codes.items()} for _ in rounds][1:]
    times = {name: [each[name] for each in measured] for name in codes}
    ratio = np.median(np.divide(times["all"], times["dm_control"]))
    for name, values in times.items():
        print(f"{name}: {np.median(values):.2f} s of CPU")
    print(f"ratio: {ratio:.2f}")
    save(arguments, seconds=times)


if __name__ == "__main__":
    main()
