"""How fast a device learns: milliseconds an agent step and member, by members, width and precision, and the memory it takes.

    python benchmarks/rates.py --device cuda --members 1 4 8 20 40 --precision float32 tf32 bfloat16 [--width 512] [--json FILE]

Dog sizes, batch 256, learning only (one RL and one encoder update a step), no rewires. Each configuration is measured in each
of the rounds, in turn; `gain` is the ratio to the first row, per member, its median with its 5 to 95 percent range. The first
row once more is the control.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from core import CYCLE, DENSE, filled_agent, span
from tabulate import tabulate

from agents.mrq.agent import MRQ
from harness.precision import prepare, product_type


def seconds(agent: MRQ, device: str, cycles: int) -> float:
    """Of one step's learning, per member."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(cycles * CYCLE):
        agent.update()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / (cycles * CYCLE * agent.members)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 8, 20, 40])
    parser.add_argument("--precision", nargs="+", default=["float32", "tf32", "bfloat16"])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--cycles", type=int, default=4, help="target cycles of 5 updates in a measurement")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kinds = [(precision, members) for precision in arguments.precision for members in arguments.members]
    agents, memory = dict[str, tuple[str, MRQ]](), dict[str, float]()
    for precision, members in [*kinds, kinds[0]]:
        name = f"{precision}, P = {members}"
        name = f"{name} again (A/A)" if name in agents else name
        before = torch.cuda.memory_allocated() if arguments.device.startswith("cuda") else 0
        kind = product_type(precision)
        agent = filled_agent(members, arguments.width, arguments.batch, DENSE, device=arguments.device, products=kind)
        agents[name] = precision, agent
        after = torch.cuda.memory_allocated() if arguments.device.startswith("cuda") else 0
        memory[name] = (after - before) / 2**20
    times: dict[str, list[float]] = {name: [] for name in agents}
    for number in range(arguments.rounds + 1):
        for name, (precision, agent) in agents.items():
            prepare(precision, arguments.device, deterministic=False)
            taken = seconds(agent, arguments.device, arguments.cycles)
            if number:  # the first round warms up
                times[name].append(taken)
    first = np.array(next(iter(times.values())))
    rows = [
        [name, 1e3 * np.median(found), *span(first / np.array(found)), 1.0 / np.median(found), memory[name]]
        for name, found in times.items()
    ]
    headers = ["", "ms a member and step", "gain", "5 %", "95 %", "member steps/s", "MiB of state"]
    print(tabulate(rows, headers=headers, floatfmt=".3f", tablefmt="github"))
    if arguments.json:
        settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()}
        arguments.json.write_text(json.dumps({"arguments": settings, "seconds": times, "mib": memory}))


if __name__ == "__main__":
    main()
