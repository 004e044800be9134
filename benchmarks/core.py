"""How fast the training core learns: larger cohorts, sparsity and the machine's limit, as paired ratios.

    python benchmarks/core.py [--width 64] [--batch 64] [--members 1 4 8] [--rounds 25] [--json FILE]

One thread, learning only, no simulator; a step is one RL update and one encoder update. Each round times every row of the table
in turn, a few steps each. `gain` is the ratio to one dense member, within a round and per member: its median, with its 5 to 95
percent range; that member once more is the control. `floor` is the time of the step's matrix products alone, at the rate that
one of them reaches here, as a share of the time that the step takes. `sparsity` compares MST with dense at the same size,
without rewires; what a rewire of the critic costs stands apart, in steps.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate

from agents.base import Setup
from agents.mrq.agent import MRQ
from agents.mrq.settings import MRQSettings
from agents.mrq.shapes import module_shapes, update_flops
from agents.sparsity.counting import dense_weights
from agents.sparsity.regime import MODULES, ModuleRegime

OBSERVATION, ACTION, CYCLE, FILL = 223, 38, 5, 600
"""Dog's sizes; encoder updates in a block; rows in the replay."""
DENSE = dict.fromkeys(MODULES, ModuleRegime())
STATIC = ModuleRegime.of("static", sparsity=0.6)
RIGL = ModuleRegime.of("rigl", sparsity=0.6, interval=CYCLE)
MST = {"encoder": ModuleRegime(), "critic": RIGL, "actor": STATIC}


def filled_agent(members: int, width: int, batch: int, regime: dict[str, ModuleRegime]) -> MRQ:
    """MRQ with random transitions, ready to learn."""
    setup = Setup(
        observation=OBSERVATION, action=ACTION, agent_steps=100_000, episode_steps=500, terminates=False,
        blocks={"encoder": "T6", "critic": "T6", "actor": "T5"}, regimes=[regime] * members,
        streams=lambda member, word: torch.Generator().manual_seed(1000 * member + sum(word.encode())),
    )  # fmt: skip
    settings = MRQSettings(
        width=width, zs_dim=width, za_dim=width // 2, zsa_dim=width, batch_size=batch, warmup=FILL, target_cycle=CYCLE,
    )  # fmt: skip
    agent = MRQ(setup, settings)
    flags = np.zeros((members, 1), dtype=bool)
    for _ in range(FILL + 1):
        agent.begin(torch.randn(members, 1, OBSERVATION), torch.rand(members, 1, ACTION) * 2 - 1)
        agent.complete(torch.rand(members, 1), torch.randn(members, 1, OBSERVATION), flags, flags)
    return agent


def learning(agent: MRQ) -> float:
    """Seconds of one step's learning, per member; rewires are left out."""
    due = [masks.due for masks in agent.masks.values()]
    for masks in agent.masks.values():
        masks.due = lambda update: False  # type: ignore[method-assign]
    begin = time.perf_counter()
    for _ in range(CYCLE):
        agent.update()
    seconds = (time.perf_counter() - begin) / (CYCLE * agent.members)
    for masks, method in zip(agent.masks.values(), due, strict=True):
        masks.due = method  # type: ignore[method-assign]
    return seconds


def rewiring(agent: MRQ) -> float:
    """Seconds of one rewire of every layer of the critic, per member."""
    masks = agent.masks["critic"]
    gradient = torch.randn(agent.critic.layout.size)
    begin = time.perf_counter()
    for member in range(agent.members):
        masks._rewire_member(member, CYCLE, gradient)
    return (time.perf_counter() - begin) / agent.members


def products(agent: MRQ) -> float:
    """Seconds of one step's matrix products, per member, were each as fast as the most common one."""
    s = agent.settings
    x, weight = torch.randn(agent.members, s.batch_size, s.width), torch.randn(agent.members, s.width, s.width)
    bias = torch.randn(agent.members, 1, s.width)
    torch.baddbmm(bias, x, weight)
    begin, count = time.perf_counter(), 20
    for _ in range(count):
        torch.baddbmm(bias, x, weight)
    rate = 2.0 * x.numel() * s.width * count / (time.perf_counter() - begin)
    return update_flops(s, dense_weights(module_shapes(s, OBSERVATION, ACTION))) / rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path, help="where every measured time goes, in seconds per member and step")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    agents = {"dense, P = 1": filled_agent(1, arguments.width, arguments.batch, DENSE)}
    for size in arguments.members:
        again = " again (A/A)" if size == 1 else ""
        agents[f"dense, P = {size}{again}"] = filled_agent(size, arguments.width, arguments.batch, DENSE)
    largest = arguments.members[-1]
    agents[f"mst, P = {largest}"] = sparse = filled_agent(largest, arguments.width, arguments.batch, MST)
    times: dict[str, list[float]] = {name: [] for name in (*agents, "floor", "rewire")}
    floors: dict[str, list[float]] = {name: [] for name in agents}
    for number in range(arguments.rounds + 1):
        for name, agent in agents.items():
            taken, least = learning(agent), products(agent)
            if number:  # the first round warms up
                times[name].append(taken)
                floors[name].append(least / taken)
        times["rewire"].append(rewiring(sparse))
    first = np.array(times["dense, P = 1"])
    rows = []
    for name in agents:
        ratios, took = first / np.array(times[name]), np.array(times[name])
        low, high = np.quantile(ratios, (0.05, 0.95))
        rows.append([name, 1e3 * np.median(took), np.median(ratios), low, high, np.median(floors[name])])
    print(tabulate(rows, headers=["", "ms a member and step", "gain", "5 %", "95 %", "floor"], floatfmt=".2f"))
    dense, masked = (np.array(times[f"{name}, P = {largest}"]) for name in ("dense", "mst"))
    low, middle, high = np.quantile(masked / dense - 1.0, (0.05, 0.5, 0.95))
    print(f"\nsparsity at P = {largest}: {middle:+.1%} of a step ({low:+.1%} to {high:+.1%})", end="")
    print(f"; one rewire of the critic: {np.median(times['rewire']) / np.median(dense):.2f} steps")
    if arguments.json:
        arguments.json.write_text(json.dumps({"arguments": vars(arguments) | {"json": str(arguments.json)}, "seconds": times}))


if __name__ == "__main__":
    main()
