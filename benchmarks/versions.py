"""How fast this code learns beside another checkout of it, as paired ratios of CPU time.

    python benchmarks/versions.py CHECKOUT [--width 64] [--batch 64] [--members 8]
        [--regime mst] [--rounds 25] [--json FILE]

Both learn in processes of their own, one thread each, in turn, a target cycle in a round; the
other checkout's once more is the control. `gain` is the ratio of its time to this one's, its median
with its 5 to 95 percent range. No rewires. CPU time, so that other work on the machine matters
less.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
CYCLES = 1
"""Target cycles of 5 steps in a round: short, so that both meet the same load."""


def learn(width: int, batch: int, members: int, regime: str) -> None:
    """A process: learns whenever it gets a line, and answers with the seconds of CPU it took."""
    import core
    import torch

    torch.set_num_threads(1)
    regimes = {"dense": core.DENSE, "mst": core.MST}
    agent = core.filled_agent(members, width, batch, regimes[regime])
    for masks in agent.learner.masks.values():
        masks.due = lambda update: False  # type: ignore[method-assign]
    for _ in sys.stdin:
        begin = time.process_time()
        for _ in range(CYCLES * core.CYCLE):
            agent.update()
        seconds = (time.process_time() - begin) / (CYCLES * core.CYCLE * members)
        print(seconds, flush=True)


def started(checkout: Path, sizes: list[str]) -> subprocess.Popen[str]:
    """A process that learns with the code of a checkout."""
    paths = os.pathsep.join([str(checkout), str(checkout / "benchmarks")])
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "--learn", *sizes]
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def seconds(process: subprocess.Popen[str]) -> float:
    """One round of a process."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure(other: Path, sizes: list[str], rounds: int) -> dict[str, list[float]]:
    """Seconds a member and step of each process, in every round but the first."""
    checkouts = {"the other": other, "this": HERE, "the other again (A/A)": other}
    processes = {name: started(path.resolve(), sizes) for name, path in checkouts.items()}
    times: dict[str, list[float]] = {name: [] for name in processes}
    for number in range(rounds + 1):
        for name, process in processes.items():
            taken = seconds(process)
            if number:  # the first round warms up
                times[name].append(taken)
    for process in processes.values():
        process.communicate()
    return times


def main() -> None:
    if sys.argv[1:2] == ["--learn"]:
        width, batch, members = map(int, sys.argv[2:5])
        return learn(width, batch, members, sys.argv[5])

    from core import gains, save
    from tabulate import tabulate

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--regime", choices=["dense", "mst"], default="mst")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sizes = [*map(str, (arguments.width, arguments.batch, arguments.members)), arguments.regime]
    times = measure(arguments.checkout, sizes, arguments.rounds)
    headers = ["", "ms a member and step", "gain", "5 %", "95 %"]
    print(tabulate(gains(times), headers=headers, floatfmt=".3f", tablefmt="github"))
    save(arguments, seconds=times)


if __name__ == "__main__":
    main()
