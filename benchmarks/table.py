"""Every ratio that the training core is held to, measured here in one go: a table, and JSON with
every figure.

    python benchmarks/table.py [--rounds 25] [--json FILE]

Each row is the median of paired rounds with its 5 to 95 percent range, beside what is aimed at. It
takes ten minutes and both cores of a small machine to itself. How each is measured stands in the
script that a row names.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import core
import overlap
import simulator
import torch
from tabulate import tabulate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    small = core.measure(64, 64, [1, 8], arguments.rounds)
    wide = core.measure(512, 256, [1], arguments.rounds)
    beside = overlap.measure("dog-run", 64, 64, 8, arguments.rounds)
    simulated = simulator.measure(arguments.rounds, 8)
    through = "EnvPool through the adapter"
    rows = [
        ["grid batched, width 64, P = 8 (core.py)", *core.gain(small, "dense, P = 8"), ">= 1.6"],
        ["the same with itself, P = 1 (A/A)", *core.gain(small, "dense, P = 1 again (A/A)"), "1"],
        ["sparsity, width 64, P = 8, rewire every 1000", *core.overhead(small, 8), "<= 0.02"],
        ["sparsity, width 512, P = 1, rewire every 1000", *core.overhead(wide, 1), "<= 0.02"],
        ["share of floor, width 512, P = 1", *core.span(wide["floor"]["dense, P = 1"]), ">= 0.75"],
        ["the same with itself (A/A)", *core.gain(wide, "dense, P = 1 again (A/A)"), "1"],
        [
            "wall / max(train, env), dog-run, width 64, P = 8 (overlap.py)",
            *overlap.quality(beside),
            "<= 1.15",
        ],
        ["the same one after the other", *overlap.quality(beside, "after"), "-"],
        ["the same, of the best that there can be", *overlap.reached(beside), "1"],
        [
            "EnvPool through the adapter / mujoco.rollout (simulator.py)",
            *simulator.share(simulated, through),
            ">= 0.72",
        ],
        ["EnvPool without the adapter", *simulator.share(simulated, "EnvPool"), "-"],
        [
            "mujoco.rollout with itself (A/A)",
            *simulator.share(simulated, "mujoco.rollout again (A/A)"),
            "1",
        ],
    ]
    print(
        tabulate(
            rows, headers=["", "median", "5 %", "95 %", "aim"], floatfmt=".3f", tablefmt="github"
        )
    )
    print(
        f"evaluation: {overlap.evaluation_share(beside):.1%} of the wall time at dog-run, width 64,"
        " P = 8"
    )
    if arguments.json:
        figures = {"core_64": small, "core_512": wide, "overlap": beside, "simulator": simulated}
        arguments.json.write_text(json.dumps({"rounds": arguments.rounds, **figures}))


if __name__ == "__main__":
    main()
