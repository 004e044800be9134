"""Where a CPU's time goes in an agent step's learning: the share of each operation, by torch's
profiler.

    python benchmarks/cpu_operations.py [--width 64] [--batch 64] [--members 8]
        [--precision float32] [--cycles 4] [--json FILE]

One thread, dog's sizes, dense members, no rewires. Shares are of the processor's time in all
operations, so the profiler's own cost, which every operation has, makes small ones look larger.
Copies of matrices that have the sizes of weights stand by themselves: with bfloat16 products those
are the casts of weights, and of their gradients back. A layer's input may have such sizes too, so
their share is at most this.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import torch
from core import CYCLE, DENSE, filled_agent, learning, save
from tabulate import tabulate
from torch.profiler import ProfilerActivity, profile

from harness.training.precision import product_type

SHOWN = 14
"""Operations in the table."""
COPY = "aten::copy_"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--cycles", type=int, default=4, help="target cycles of 5 agent steps")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    products = product_type(arguments.precision)
    agent = filled_agent(
        arguments.members, arguments.width, arguments.batch, DENSE, products=products
    )
    learning(agent)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as traced:
        learning(agent, arguments.cycles)

    weights = {
        str(list(shape))
        for module in agent.learner.trained.values()
        for name, shape in module.layout.shapes.items()
        if name.endswith(".weight")
    }
    microseconds: dict[str, float] = defaultdict(float)
    calls: dict[str, int] = defaultdict(int)
    for event in traced.key_averages(group_by_input_shape=True):
        of_weights = event.key == COPY and str(event.input_shapes[0]) in weights
        name = f"{event.key} of a weight's size" if of_weights else event.key
        microseconds[name] += event.self_cpu_time_total
        calls[name] += event.count

    steps = arguments.cycles * CYCLE
    total = sum(microseconds.values())
    shares = {name: taken / total for name, taken in microseconds.items()}
    largest = sorted(shares, key=lambda name: -shares[name])[:SHOWN]
    rows = [[name, calls[name] / steps, shares[name]] for name in largest]
    print(f"{total / steps / 1e3 / arguments.members:.3f} ms a member and step")
    print(tabulate(rows, ["", "calls a step", "share"], floatfmt=".3f", tablefmt="github"))
    save(
        arguments,
        calls={name: calls[name] / steps for name in largest},
        shares=dict(zip(largest, map(shares.__getitem__, largest), strict=True)),
    )


if __name__ == "__main__":
    main()
