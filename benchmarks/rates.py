"""How fast a device learns: milliseconds an agent step and member, by members, width and precision,
and the memory it takes.

    python benchmarks/rates.py --device cuda --members 1 4 8 20 40
        --precision float32 tf32 bfloat16 [--width 512] [--json FILE]

Dog sizes, batch 256, learning only (one RL and one encoder update a step), no rewires. Each
configuration is measured in each of the rounds, in turn; `gain` is the ratio to the first row, per
member, its median with its 5 to 95 percent range. The first row once more is the control. Steps are
captured where the device can; `--eager` adds rows without, `--masked` rows whose members have the
four headline regimes in turn, as in a real cohort, `--compiled` rows whose losses and targets go
through torch.compile (it needs a C compiler, and minutes).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from core import DENSE, MIXED, filled_agent, gains, learning, save
from tabulate import tabulate

from agents.mrq.agent import MRQ
from agents.off_policy import OffPolicy
from harness.training.precision import prepare, product_type


def mebibytes(device: str) -> float:
    """Of the card that tensors and captured steps take."""
    return torch.cuda.memory_reserved() / 2**20 if device.startswith("cuda") else 0.0


def compiled(agent: OffPolicy[MRQ]) -> None:
    """Let what an agent's updates compute go through torch.compile."""
    for owner, methods in (
        (agent, ("encoder_loss", "td_target")),
        (agent.algorithm.networks, ("q_values", "joint_embedding", "policy")),
    ):
        for method in methods:
            setattr(owner, method, torch.compile(getattr(owner, method), dynamic=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 8, 20, 40])
    parser.add_argument("--precision", nargs="+", default=["float32", "tf32", "bfloat16"])
    parser.add_argument(
        "--eager", action="store_true", help="also operation by operation, at the fewest members"
    )
    parser.add_argument(
        "--masked", action="store_true", help="also with the four headline regimes in turn"
    )
    parser.add_argument(
        "--compiled", action="store_true", help="also through torch.compile, at the fewest members"
    )
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--depth", type=int, default=1, help="5 at --width 2560: 362M parameters")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument(
        "--cycles", type=int, default=4, help="target cycles of 5 updates in a measurement"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kinds = [
        (precision, members, "")
        for precision in arguments.precision
        for members in arguments.members
    ]
    if arguments.masked:
        kinds += [(precision, members, ", masked") for precision, members, _ in kinds]
    for asked, kind in ((arguments.eager, ", eager"), (arguments.compiled, ", compiled")):
        kinds += [
            (precision, min(arguments.members), kind) for precision in arguments.precision if asked
        ]
    agents, memory = dict[str, tuple[str, OffPolicy[MRQ]]](), dict[str, float]()
    for precision, members, kind in [*kinds, kinds[0]]:
        name = f"{precision}, P = {members}{kind}"
        name = f"{name} again (A/A)" if name in agents else name
        prepare(precision, arguments.device, deterministic=False)
        before = mebibytes(arguments.device)
        agent = filled_agent(
            members, arguments.width, arguments.batch, MIXED if kind == ", masked" else DENSE,
            device=arguments.device,
            products=product_type(precision), record=kind != ", eager", depth=arguments.depth,
        )  # fmt: skip
        if kind == ", compiled":
            compiled(agent)
        learning(agent, cycles=2)  # long enough to record every step
        agents[name] = precision, agent
        memory[name] = mebibytes(arguments.device) - before
    times: dict[str, list[float]] = {name: [] for name in agents}
    for number in range(arguments.rounds + 1):
        for name, (precision, agent) in agents.items():
            prepare(precision, arguments.device, deterministic=False)
            taken = learning(agent, arguments.cycles)
            if number:  # the first round warms up
                times[name].append(taken)
    rows = [
        [*row, 1.0 / np.median(times[name]), memory[name]]
        for name, row in zip(times, gains(times), strict=True)
    ]
    headers = [
        "",
        "ms a member and step",
        "gain",
        "5 %",
        "95 %",
        "member steps/s",
        "MiB of the card",
    ]
    print(tabulate(rows, headers=headers, floatfmt=".3f", tablefmt="github"))
    save(arguments, seconds=times, mib=memory)


if __name__ == "__main__":
    main()
