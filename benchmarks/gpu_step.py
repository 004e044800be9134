"""What an agent step on a GPU is made of: its kernels, the host's part, and the simulators beside.

    python benchmarks/gpu_step.py kernels [--members 20] [--fused]
    python benchmarks/gpu_step.py host [--members 4 20]
    python benchmarks/gpu_step.py simulators [--tasks dog-run humanoid-run]

Dog sizes, width 512, batch 256, the four headline regimes in turn. `kernels`: microseconds of the
card for each kernel of a step, from a trace of captured steps. `host`: how long Python takes to
launch each part of a step, on an idle card, and how long a part takes with the card. `simulators`:
environments alone, in a worker, by how many there are and by their threads.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from core import MIXED, filled_agent, learning
from tabulate import tabulate
from torch.profiler import ProfilerActivity, profile

from envs.tasks import TASKS
from envs.worker import Worker
from harness.options import Options
from harness.training.precision import prepare

WIDTH, BATCH, CYCLES, SHOWN = 512, 256, 4, 45
"""MR.Q's own sizes; target cycles in a trace; kernels in a table."""
TOGETHER = ((1, 1, 1), (1, 1, None), (4, 1, None), (16, 1, None), (16, 1, 8), (20, 1, None))
MORE = ((40, 1, None), (40, 1, 15), (40, 10, None))
"""Members, environments of each, and threads; None: one a CPU."""

T = TypeVar("T")


def kernels(members: int, device: str, wants_fused: bool) -> None:
    """A table of the kernels of an agent step."""
    if wants_fused:
        from fused_layers import fused
    with fused() if wants_fused else nullcontext():
        agent = filled_agent(members, WIDTH, BATCH, MIXED, device=device)
        learning(agent, cycles=3)
        with profile(activities=[ProfilerActivity.CUDA]) as traced:
            learning(agent, CYCLES)
            torch.cuda.synchronize()
    steps = 5 * CYCLES
    events = sorted(traced.key_averages(), key=lambda event: -event.self_device_time_total)
    total = sum(event.self_device_time_total for event in events) / steps
    count = sum(event.count for event in events) / steps
    print(f"P = {members}: {total / 1e3:.3f} ms of kernels an agent step, {count:.0f} kernels")
    for event in events[:SHOWN]:
        taken, calls = event.self_device_time_total / steps, event.count / steps
        print(f"{taken:9.1f} us {calls:7.1f}x  {event.key[:150]}")


def host(members: int, device: str) -> list[list[object]]:
    """A row for each part of a step."""
    agent = filled_agent(members, WIDTH, BATCH, MIXED, device=device)
    learning(agent, cycles=3)
    task = agent.setup.task
    seen = torch.randn(members, 1, task.observation, device=device)
    reward, flags = torch.rand(members, 1, device=device), np.zeros((members, 1), dtype=bool)
    launched, done = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)

    def timed(name: str, function: Callable[[], T]) -> T:
        torch.cuda.synchronize()
        begin = time.perf_counter()
        result = function()
        launched[name].append(time.perf_counter() - begin)
        torch.cuda.synchronize()
        done[name].append(time.perf_counter() - begin)
        return result

    for _ in range(250):
        action = timed("act", lambda: agent.act(seen, explore=True))
        timed("begin", partial(agent.begin, seen, action))
        timed("update" if agent.overlaps() else "update that begins a cycle of 5", agent.update)
        timed("complete", lambda: agent.complete(reward, seen, flags, flags))
    return [
        [members, name, 1e3 * float(np.median(times)), 1e3 * float(np.median(done[name]))]
        for name, times in launched.items()
    ]


def cpu_seconds(pid: int) -> float:
    """That a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def simulators(name: str, members: int, environments: int, threads: int | None) -> list[object]:
    """A row: milliseconds of an agent step, and of one environment, wall and CPU."""
    task, steps = TASKS[name], 60 if environments == 1 else 12
    seeds = [[10 * member + slot for slot in range(environments)] for member in range(members)]
    shape = 8, members, environments, task.action
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, shape)
    with Worker(Options.watchdog_seconds) as worker:
        pool = worker.pool(task, seeds, 2, threads=threads)
        pool.reset()
        for step in range(5):
            pool.step(actions[step])
        used, begin = cpu_seconds(worker.pid), time.perf_counter()
        for step in range(steps):
            pool.step(actions[step % 8])
        wall = 1e3 * (time.perf_counter() - begin) / steps
        cpu = 1e3 * (cpu_seconds(worker.pid) - used) / steps
    count = members * environments
    return [name, members, environments, threads or "all", wall, wall / count, cpu / count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("kernels", "host", "simulators"))
    parser.add_argument("--members", type=int, nargs="+", default=[20])
    parser.add_argument("--tasks", nargs="+", default=["dog-run", "humanoid-run"])
    parser.add_argument("--precision", default="tf32")
    parser.add_argument("--fused", action="store_true", help="layers of fused_layers.py")
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.part == "simulators":
        rows = [simulators(task, *size) for task in arguments.tasks for size in (*TOGETHER, *MORE)]
        headers = ["task", "members", "environments of each", "threads", "ms", "ms each", "CPU ms"]
        print(tabulate(rows, headers=headers, floatfmt=".3f", tablefmt="github"))
        return
    prepare(arguments.precision, arguments.device, deterministic=False)
    if arguments.part == "kernels":
        for members in arguments.members:
            kernels(members, arguments.device, arguments.fused)
        return
    found = [row for members in arguments.members for row in host(members, arguments.device)]
    headers = ["members", "part", "ms to launch", "ms with the card"]
    print(tabulate(found, headers=headers, floatfmt=".3f", tablefmt="github"))


if __name__ == "__main__":
    main()
