"""What a plan of 10,000 runs costs beside its training: seconds and memory of each command that
works on all of it.

    python benchmarks/many_runs.py [--seeds 500] [--json results/many-runs.json]

Five tasks and four regimes. One seed of each is trained, for seconds; every further one has its
files, under its own number and with another bias in its actor, since `verify` refuses one policy
for two runs. So nothing is said of results here. `seal` is `run` on a folder in which every run has
its result: it writes manifest, results and entry, signs, verifies and draws the report.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.torch import load_file, save_file
from tabulate import tabulate

from harness.files import read_json, write_json
from harness.folder import Folder
from harness.planning.plan import read_plan
from leaderboard.formats.run import Run

SUITE = """
suite: many
version: 1
description: a plan of many short runs
tasks: [cartpole-balance, cartpole-swingup, pendulum-swingup, ball_in_cup-catch, reacher-easy]
regimes: [dense, sst, dst, mst]
seeds: {seeds}
environment_steps: 240
settings: {{width: 16, zs_dim: 16, za_dim: 8, zsa_dim: 16,
           batch_size: 16, warmup: 40, target_cycle: 10}}
sparsity: {{interval: 10}}
evaluation: {{every: 60, episodes: 2, final_episodes: 2, fresh_episodes: 4, environments: 2}}
claims: [O2]
"""


def main() -> None:
    """Print a row for each command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=500, help="twenty runs each")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        rows = measured(Path(scratch), arguments.seeds)
    headers = ["", "wall, s", "CPU, s", "memory, MiB"]
    print(tabulate([row.values() for row in rows], headers, floatfmt=".1f"))
    if arguments.json:
        document = {"runs": 20 * arguments.seeds, "commands": rows}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


def measured(scratch: Path, seeds: int) -> list[dict[str, str | float]]:
    """Every command on one plan of so many seeds."""
    trained = planned(scratch, "one", 1)
    command("run", *trained)

    many = planned(scratch, "many", seeds)
    rows = [command("plan", *many)]
    (one,), (folder,) = ((scratch / name).glob("*/") for name in ("one", "many"))
    copy(one, folder)

    # What the commands print and write is kept beside the folder.
    csv = scratch / "curves.csv"
    rows.append(command("status", folder, name="status, unsealed"))
    rows.append(command("run", *many, name="seal"))
    rows.append(command("status", folder))
    rows.append(command("list", "runs", "--out", scratch / "many", name="list runs"))
    rows.append(command("verify", folder))
    rows.append(command("report", folder))
    rows.append(command("export", folder, "--to", csv))
    return rows


def planned(scratch: Path, name: str, seeds: int) -> tuple[str | Path, ...]:
    """Options that name a plan of so many seeds, in a folder of that name."""
    suite = scratch / f"{name}.yaml"
    suite.write_text(SUITE.format(seeds=seeds))
    return "--suite", suite, "--out", scratch / name


def copy(one: Path, many: Path) -> None:
    """Every run of a plan gets the files of that run's first seed, made its own."""
    for run in read_plan(Folder(many).plan).runs:
        source = Folder(one).run(Run(run.task, run.regime, 0))
        target = Folder(many).run(run)
        target.path.mkdir(parents=True)
        for file in source.path.iterdir():
            if file not in (source.result, source.tensors("actor")):
                os.link(file, target.path / file.name)

        actor = load_file(source.tensors("actor"))
        next(value for name, value in actor.items() if name.endswith(".bias")).add_(run.seed)
        save_file(actor, target.tensors("actor"))
        write_json(target.result, read_json(source.result) | {"seed": run.seed})


def command(*words: str | Path, name: str = "") -> dict[str, str | float]:
    """Wall seconds, CPU seconds and largest memory of one command of the program."""
    line = [sys.executable, "-P", "-m", "harness.cli", *map(str, words)]
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        if code := os.waitstatus_to_exitcode(status):
            said.seek(0)
            sys.exit(f"{' '.join(line)}: exit {code}\n{said.read().decode()}")
    return {
        "command": name or str(words[0]),
        "wall": time.monotonic() - begun,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory_mib": usage.ru_maxrss / 1024.0,
    }


if __name__ == "__main__":
    main()
