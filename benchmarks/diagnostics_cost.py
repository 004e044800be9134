"""What diagnostics cost: one probe of all modules, in agent steps of learning, and as a share of a
run.

    python benchmarks/diagnostics_cost.py [--width 512] [--batch 256] [--members 4]
        [--every 5000] [--rounds 5] [--json FILE]

Each round times one probe and a few agent steps of the same cohort in turn (medians, range); every
`--every` agent steps a run makes one probe.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from core import DENSE, MST, filled_agent, learning, save

from agents.diagnostics.figures import diagnose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--every", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where every measured ratio goes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured = dict[str, list[float]]()
    for name, regime in (("dense", DENSE), ("mst", MST)):
        agent = filled_agent(arguments.members, arguments.width, arguments.batch, regime)
        ratios = measured[name] = []
        for number in range(arguments.rounds + 1):
            step = learning(agent) * arguments.members
            begin = time.perf_counter()
            diagnose(agent.modules(), agent.probe())
            if number:  # the first round warms up
                ratios.append((time.perf_counter() - begin) / step)
        low, middle, high = np.quantile(ratios, (0.0, 0.5, 1.0))
        share = middle / arguments.every
        print(
            f"{name}: one probe takes {middle:.1f} agent steps ({low:.1f} to {high:.1f}):"
            f" {share:.2%} of a run"
        )
    save(arguments, agent_steps_of_a_probe=measured)


if __name__ == "__main__":
    main()
