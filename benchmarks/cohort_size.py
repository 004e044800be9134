"""What a larger cohort gains: agent steps per second and member at P members, against P = 1, paired in rounds.

    python benchmarks/cohort_size.py [--width 64] [--batch 64] [--members 1 2 4 8] [--rounds 25]

Each round times every P in turn (plus P = 1 again, as the A/A control), one thread, learning only: no simulator. A step is one
RL update and one encoder update. Prints the median of the paired ratios and their 5 to 95 percent range.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch
from tabulate import tabulate

from agents.base import Setup
from agents.mrq.agent import MRQ
from agents.mrq.settings import MRQSettings
from agents.sparsity.regime import MODULES, ModuleRegime

OBSERVATION, ACTION, CYCLE, FILL = 67, 21, 5, 600


def filled_agent(members: int, width: int, batch: int) -> MRQ:
    """MRQ with random transitions, ready to learn; members alternate between dense and static sparse."""
    kinds = (ModuleRegime(), ModuleRegime("er", "none", 0.6))
    setup = Setup(
        observation=OBSERVATION, action=ACTION, agent_steps=100_000, episode_steps=500, terminates=False,
        blocks={"encoder": "T6", "critic": "T6", "actor": "T5"},
        regimes=[dict.fromkeys(MODULES, kinds[member % 2]) for member in range(members)],
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


def seconds(agent: MRQ, cycles: int) -> float:
    """Wall time of one agent step's learning, per member."""
    begin = time.perf_counter()
    for _ in range(cycles * CYCLE):
        agent.update()
    return (time.perf_counter() - begin) / (cycles * CYCLE * agent.members)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--members", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [1, 1, *arguments.members]
    agents = [filled_agent(size, arguments.width, arguments.batch) for size in sizes]
    for agent in agents:
        seconds(agent, 2)
    times = np.array([[seconds(agent, 2) for agent in agents] for _ in range(arguments.rounds)])
    ratios = times[:, :1] / times[:, 1:]
    names = ["1 again (A/A)", *map(str, arguments.members)]
    rows = [
        [name, float(np.median(column)), *(float(x) for x in np.quantile(column, (0.05, 0.95))), 1e3 * float(np.median(took))]
        for name, column, took in zip(names, ratios.T, times[:, 1:].T, strict=True)
    ]
    headers = ["members", "gain per member", "5%", "95%", "ms per member step"]
    if arguments.json:
        print(json.dumps([dict(zip(headers, row, strict=True)) for row in rows]))
    else:
        print(tabulate(rows, headers=headers, floatfmt=".2f"))


if __name__ == "__main__":
    main()
