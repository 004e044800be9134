"""One cohort of N members beside N processes of one member each on the same device: the rival that
needs no member axis.

    python benchmarks/processes.py --device cuda --members 8 [--mps] [--precision tf32]
        [--width 512] [--json FILE]

Dog sizes, batch 256, learning only. In each round the cohort learns for some steps alone, then all
N processes at once, each its own share; `gain` is the ratio of their time to the cohort's, per
member and step, its median with its 5 to 95 percent range. The cohort once more is the control, and
a quarter of the processes shows how the device is shared. `--mps` starts NVIDIA's Multi-Process
Service for the processes, and ends it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from core import CYCLE, DENSE, filled_agent, save, span, timed
from tabulate import tabulate


def learner(
    pipe: Connection, device: str, precision: str, members: int, width: int, batch: int, cycles: int
) -> None:
    """A process: an agent that learns for some target cycles whenever it is told to, and says when
    it is done."""
    from harness.training.precision import prepare, product_type

    torch.set_num_threads(1)
    prepare(precision, device, deterministic=False)
    agent = filled_agent(
        members, width, batch, DENSE, device=device, products=product_type(precision)
    )
    timed(agent.update, cycles * CYCLE, device)
    pipe.send("ready")
    while pipe.recv():
        timed(agent.update, cycles * CYCLE, device)
        pipe.send("done")


def together(pipes: Sequence[Connection]) -> float:
    """Seconds until all of these processes have learned."""
    begin = time.perf_counter()
    for pipe in pipes:
        pipe.send(True)
    for pipe in pipes:
        pipe.recv()
    return time.perf_counter() - begin


@contextmanager
def mps(wanted: bool) -> Iterator[None]:
    """NVIDIA's Multi-Process Service for processes started inside."""
    if not wanted:
        yield
        return
    if shutil.which("nvidia-cuda-mps-control") is None:
        raise SystemExit(
            "--mps: nvidia-cuda-mps-control is not installed here; without --mps processes share by"
            " time slices."
        )
    with tempfile.TemporaryDirectory() as place:
        os.environ |= {"CUDA_MPS_PIPE_DIRECTORY": place, "CUDA_MPS_LOG_DIRECTORY": place}
        subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
        try:
            yield
        finally:
            subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", check=True)


def measure(arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds a member and step of each kind, in every round but the first."""
    context, pipes = multiprocessing.get_context("spawn"), list[Connection]()
    processes = []
    for members in (arguments.members, *[1] * arguments.members):
        ours, theirs = context.Pipe()
        told = (
            theirs,
            arguments.device,
            arguments.precision,
            members,
            arguments.width,
            arguments.batch,
            arguments.cycles,
        )
        processes.append(context.Process(target=learner, args=told, daemon=True))
        processes[-1].start()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    cohort, each = pipes[:1], pipes[1:]
    few = each[: max(1, arguments.members // 4)]
    kinds = {
        "cohort": (cohort, arguments.members),
        "processes": (each, len(each)),
        "a quarter of them": (few, len(few)),
    }
    kinds["cohort again (A/A)"] = kinds["cohort"]
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(arguments.rounds + 1):
        for name, (asked, members) in kinds.items():
            taken = together(asked) / (members * arguments.cycles * CYCLE)
            if number:  # the first round warms up
                found[name].append(taken)
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(False)
        process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--mps", action="store_true")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument(
        "--cycles", type=int, default=4, help="target cycles of 5 updates in a measurement"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with mps(arguments.mps):
        found = measure(arguments)
    cohort = np.array(found["cohort"])
    rows = [
        [name, 1e3 * np.median(times), *span(np.array(times) / cohort)]
        for name, times in found.items()
    ]
    print(
        tabulate(
            rows,
            headers=["", "ms a member and step", "gain", "5 %", "95 %"],
            floatfmt=".3f",
            tablefmt="github",
        )
    )
    save(arguments, seconds=found)


if __name__ == "__main__":
    main()
