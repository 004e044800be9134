"""A cohort that trains for 100,000 agent steps and saves every few seconds: what memory and files
become meanwhile.

    python benchmarks/soak.py --csv results/soak.csv [--svg results/soak.svg] [--agent-steps N]
    python benchmarks/soak.py --csv results/soak.csv --svg results/soak.svg --draw

A row each 10 seconds: agent steps done, resident memory of the cohort's process and of the
processes of its environments, bytes of its checkpoint, records and log. Two runs of CartPole at
width 16: the core's own memory is small there, so what leaks shows. `--draw` draws the rows that a
file holds.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from harness.folder import Folder
from harness.training.progress import read_progress
from leaderboard.pages.mpl import Figure

SUITE = """
suite: soak
version: 1
description: one long cohort of small networks
tasks: [cartpole-swingup]
regimes: [dst, mst]
seeds: 1
environment_steps: {environment_steps}
settings: {{width: 16, zs_dim: 16, za_dim: 8, zsa_dim: 16, batch_size: 16, warmup: 40}}
evaluation: {{every: 2000, episodes: 2, final_episodes: 2, fresh_episodes: 4, environments: 2}}
"""
PAGE = os.sysconf("SC_PAGE_SIZE")
EVERY = 10.0
"""Seconds between two rows, and between two checkpoints."""


@dataclass(frozen=True)
class Sample:
    """What was there at one moment."""

    seconds: float
    """Since the command was given."""
    agent_step: int
    cohort_mib: float
    """Resident memory of the process that trains."""
    environments_mib: float
    """And of the processes of its environments."""
    checkpoint_kib: float
    records_kib: float
    log_kib: float


def soak(agent_steps: int) -> list[Sample]:
    """Samples of one run, from its first agent step to its end."""
    with tempfile.TemporaryDirectory() as scratch:
        suite = Path(scratch, "soak.yaml")
        suite.write_text(SUITE.format(environment_steps=2 * agent_steps))
        out = Path(scratch, "out")
        command = [sys.executable, "-P", "-m", "harness.cli", "run", "--suite", str(suite)]
        command += ["--device", "cpu", "--checkpoint-seconds", str(EVERY), "--out", str(out)]
        begun = time.monotonic()
        samples = []
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                time.sleep(EVERY)
                if found := sample(out, process.pid, begun):
                    samples.append(found)
        if process.returncode:
            sys.exit(f"the run ended with {process.returncode}")
        return samples


def sample(out: Path, program: int, begun: float) -> Sample | None:
    """What is there now; None before the first agent step and once the cohort is over."""
    for folder in out.glob("*/"):
        progress = read_progress(folder, 0)
        resident = memory(program)
        cohort = sum(mib for words, mib in resident if "run-cohort" in words)
        if progress is None or progress.step == 0 or cohort == 0.0:
            return None
        paths = Folder(folder).cohort(0)
        return Sample(
            seconds=time.monotonic() - begun,
            agent_step=progress.step,
            cohort_mib=cohort,
            environments_mib=sum(mib for words, mib in resident if "envs.worker" in words),
            checkpoint_kib=kib(paths.checkpoint.glob("*")),
            records_kib=kib(folder.glob("runs/*/*/*/records.jsonl")),
            log_kib=kib([paths.log]),
        )
    return None


def memory(program: int) -> list[tuple[str, float]]:
    """Command line and resident MiB of every process below one."""
    parents = dict[int, int]()
    found = dict[int, tuple[str, float]]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
            after_name = process.joinpath("stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(process.name)] = int(after_name[1])
        found[int(process.name)] = words, int(after_name[21]) * PAGE / 2**20

    below = {program}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return [found[pid] for pid in below if pid in found]


def kib(files: Iterable[Path]) -> float:
    """Bytes of files, those that vanish meanwhile left out."""
    total = 0
    for file in files:
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total / 1024.0


def read_sample(row: dict[str, str]) -> Sample:
    """A row of the file."""
    agent_step = int(row.pop("agent_step"))
    return Sample(agent_step=agent_step, **{name: float(value) for name, value in row.items()})


def draw(samples: list[Sample], path: Path) -> None:
    """Memory above, files below, over agent steps."""
    figure = Figure(figsize=(7.0, 5.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    steps = [sample.agent_step for sample in samples]
    above.plot(steps, [sample.cohort_mib for sample in samples], label="the cohort's process")
    above.plot(steps, [sample.environments_mib for sample in samples], label="its environments")
    above.set_ylabel("resident memory (MiB)")
    below.plot(steps, [sample.checkpoint_kib for sample in samples], label="checkpoint")
    below.plot(steps, [sample.records_kib for sample in samples], label="records")
    below.plot(steps, [sample.log_kib for sample in samples], label="log")
    below.set_ylabel("files (KiB)")
    below.set_xlabel("agent steps")
    for axes in (above, below):
        axes.set_ylim(bottom=0.0)
        axes.legend(loc="center left")
    figure.savefig(path)


def main() -> None:
    """Write the rows, draw them, and print the first and the last."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--agent-steps", type=int, default=100_000)
    parser.add_argument("--draw", action="store_true")
    arguments = parser.parse_args()

    names = [field.name for field in fields(Sample)]
    if not arguments.draw:
        with arguments.csv.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            for each in soak(arguments.agent_steps):
                writer.writerow(f"{value:.10g}" for value in asdict(each).values())

    # What is drawn is what the file holds.
    with arguments.csv.open(newline="") as file:
        samples = [read_sample(row) for row in csv.DictReader(file)]
    print(samples[0], samples[-1], sep="\n")
    if arguments.svg:
        draw(samples, arguments.svg)


if __name__ == "__main__":
    main()
