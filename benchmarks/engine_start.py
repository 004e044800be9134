"""How long each executor takes from the command to the first agent step of a cohort, in seconds.

    python benchmarks/engine_start.py inline local
    python benchmarks/engine_start.py local ray --ray-address HOST:PORT --rounds 5

Executors take turns, and each run is a tiny one in a folder of its own.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from harness.training.progress import read_progress

SUITE = """
suite: start
version: 1
description: the start of a cohort
tasks: [cartpole-swingup]
regimes: [dense]
seeds: 1
environment_steps: 20000
settings: {width: 16, zs_dim: 16, za_dim: 8, zsa_dim: 16, batch_size: 16, warmup: 40}
evaluation: {every: 10000, episodes: 1, final_episodes: 1, fresh_episodes: 1, environments: 1}
"""
PATIENCE = 300.0


def seconds(executor: str, words: list[str]) -> float:
    """From the command until its cohort did its first agent step."""
    with tempfile.TemporaryDirectory() as scratch:
        suite = Path(scratch, "start.yaml")
        suite.write_text(SUITE)
        out = Path(scratch, "out")
        command = [sys.executable, "-P", "-m", "harness.cli", "run", "--suite", str(suite)]
        command += ["--device", "cpu", "--executor", executor, "--out", str(out), *words]
        begun = time.monotonic()
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                while time.monotonic() - begun < PATIENCE and process.poll() is None:
                    if any(_steps(folder) for folder in out.glob("*")):
                        return time.monotonic() - begun
                    time.sleep(0.05)
            finally:
                process.send_signal(signal.SIGINT)
    sys.exit(f"{executor}: no agent step in {PATIENCE:g} s")


def _steps(folder: Path) -> int:
    progress = read_progress(folder, 0)
    return progress.step if progress else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("executors", nargs="+")
    parser.add_argument("--ray-address", default="")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    taken = defaultdict[str, list[float]](list)
    for _ in range(arguments.rounds):
        for executor in arguments.executors:
            own = ["--ray-address", arguments.ray_address] if executor == "ray" else []
            taken[executor].append(seconds(executor, own))
    for executor, each in taken.items():
        listed = ", ".join(f"{one:.1f}" for one in each)
        print(f"{executor}: median {statistics.median(each):.1f} s ({listed})")


if __name__ == "__main__":
    main()
