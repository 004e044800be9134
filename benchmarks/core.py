"""How fast the training core learns: larger cohorts, sparsity and the machine's limit, as paired
ratios.

    python benchmarks/core.py [--width 64] [--batch 64] [--members 1 4 8] [--rounds 25]
        [--device cuda] [--json FILE]

One thread, learning only, no simulator; a step is one RL update and one encoder update. Each round
times every row of the table in turn, a few steps each. `gain` is the ratio to one dense member,
within a round and per member: its median, with its 5 to 95 percent range; that member once more is
the control. `floor` is the time of the step's matrix products alone, at the rate that one of them
reaches here, as a share of the time that the step takes. `sparsity` compares MST with dense at the
same size, with a rewire of the critic every 1000 updates.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor

from agents.members.recording import WARM_UP, Recorder
from agents.mrq.agent import MRQ, build
from agents.mrq.spec import MRQSpec
from agents.off_policy import OffPolicy
from agents.protocol import Setup
from agents.sparsity.counting import dense_weights
from agents.sparsity.regime import ModuleRegime
from agents.spec import TaskShape

OBSERVATION, ACTION, CYCLE, FILL = 223, 38, 5, 600
"""Dog's sizes; encoder updates in a block; rows in the replay."""
DENSE = dict.fromkeys(MRQSpec.MODULES, ModuleRegime())
STATIC = ModuleRegime.of("static", sparsity=0.6)
RIGL = ModuleRegime.of("rigl", sparsity=0.6, interval=CYCLE)
MST = {"encoder": ModuleRegime(), "critic": RIGL, "actor": STATIC}
MIXED = (
    dict.fromkeys(MRQSpec.MODULES, STATIC),
    DENSE,
    dict.fromkeys(MRQSpec.MODULES, RIGL),
    MST,
)
"""The headline regimes in turn: with any of them but DENSE every module of a cohort is masked."""
PRODUCTS = 20
"""Matrix products that are timed together."""


def filled_agent(
    members: int,
    width: int,
    batch: int,
    regime: dict[str, ModuleRegime] | Sequence[dict[str, ModuleRegime]],
    observation: int = OBSERVATION,
    action: int = ACTION,
    device: str = "cpu",
    products: torch.dtype | None = None,
    record: bool = True,
    depth: int = 1,
    dtype: torch.dtype = torch.float32,
) -> OffPolicy[MRQ]:
    """MRQ with random transitions, ready to learn. `regime`: of every member, or several that
    members have in turn. `depth`: hidden layers of each MLP, times those
    of MR.Q, and then an action embedding as wide as they are."""
    regimes = [regime] if isinstance(regime, dict) else regime
    setup = Setup(
        task=TaskShape(observation, action, episode_steps=500, terminates=False),
        agent_steps=100_000,
        blocks={"encoder": "T6", "critic": "T6", "actor": "T5"},
        regimes=[regimes[member % len(regimes)] for member in range(members)],
        streams=lambda member, word: torch.Generator().manual_seed(
            1000 * member + sum(word.encode())
        ),
        device=device,
        products=products,
        record=record,
        dtype=dtype,
    )
    settings = MRQSpec(
        width=width,
        zs_dim=width,
        za_dim=width // 2,
        zsa_dim=width,
        batch_size=batch,
        warmup=FILL,
        target_cycle=CYCLE,
    )
    agent = build(
        setup, settings if depth == 1 else replace(settings, za_dim=width).scaled(1, depth)
    )
    flags = np.zeros((members, 1), dtype=bool)
    for _ in range(FILL + 1):
        seen, after = (
            torch.randn(members, 1, observation, dtype=dtype, device=device) for _ in range(2)
        )
        agent.begin(seen, torch.rand(members, 1, action, dtype=dtype, device=device) * 2 - 1)
        agent.complete(torch.rand(members, 1, dtype=dtype, device=device), after, flags, flags)
    return agent


def timed(step: Callable[[], object], count: int, device: str | torch.device = "cpu") -> float:
    """Seconds of one of so many calls, the device's work included."""
    on_cuda = torch.device(device).type == "cuda"
    if on_cuda:
        torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(count):
        step()
    if on_cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / count


def learning(agent: OffPolicy[MRQ], cycles: int = 1) -> float:
    """Seconds of one step's learning, per member; rewires are left out."""
    due = [masks.due for masks in agent.learner.masks.values()]
    for masks in agent.learner.masks.values():
        masks.due = lambda update: False  # type: ignore[method-assign]
    seconds = timed(agent.update, cycles * CYCLE, agent.setup.device) / agent.learner.members
    for masks, method in zip(agent.learner.masks.values(), due, strict=True):
        masks.due = method  # type: ignore[method-assign]
    return seconds


def rewiring(agent: OffPolicy[MRQ]) -> float:
    """Seconds of one rewire of every layer of the critic, per member."""
    masks, device = agent.learner.masks["critic"], agent.setup.device
    gradient = torch.randn(agent.learner.trained["critic"].layout.size, device=device)
    members = range(agent.learner.members)
    return timed(lambda: masks._rewire(members, CYCLE, gradient), 1, device) / len(members)


def products(agent: OffPolicy[MRQ]) -> Callable[[], float]:
    """Measures the seconds of one step's matrix products, per member, were each as fast as the
    most common one. A device that captures steps plays them as it plays those."""
    s, device = agent.algorithm.settings, agent.setup.device
    sizes = (s.batch_size, s.width), (s.width, s.width)
    x, weight = (torch.randn(agent.learner.members, *size, device=device) for size in sizes)
    result = torch.empty_like(x)

    def several() -> None:
        for _ in range(PRODUCTS):
            torch.bmm(x, weight, out=result)

    step = Recorder(device).step(several)
    timed(step, WARM_UP + 1, device)
    task = TaskShape(OBSERVATION, ACTION, episode_steps=500, terminates=False)
    operations = s.flops(dense_weights(s.shapes(task)))

    def least() -> float:
        rate = PRODUCTS * 2.0 * x.numel() * s.width / timed(step, 5, device)
        return operations / rate

    return least


def measure(
    width: int, batch: int, members: list[int], rounds: int, device: str = "cpu"
) -> dict[str, dict[str, list[float]]]:
    """`seconds` per member and step of every row in every round but the first, and each step's
    `floor` as a share of it."""
    agents = {"dense, P = 1": filled_agent(1, width, batch, DENSE, device=device)}
    for size in members:
        again = " again (A/A)" if size == 1 else ""
        agents[f"dense, P = {size}{again}"] = filled_agent(size, width, batch, DENSE, device=device)
    agents[f"mst, P = {members[-1]}"] = sparse = filled_agent(
        members[-1], width, batch, MST, device=device
    )
    times: dict[str, list[float]] = {name: [] for name in (*agents, "rewire")}
    floors: dict[str, list[float]] = {name: [] for name in agents}
    least = {name: products(agent) for name, agent in agents.items()}
    for number in range(rounds + 1):
        for name, agent in agents.items():
            taken = learning(agent)
            floor = least[name]() / taken
            if number:  # the first round warms up
                times[name].append(taken)
                floors[name].append(floor)
        times["rewire"].append(rewiring(sparse))
    return {"seconds": times, "floor": floors}


def gradients(agent: OffPolicy[MRQ]) -> list[Tensor]:
    """What every module would learn next; nothing changes."""
    learner, algorithm, lap = agent.learner, agent.algorithm, agent.replay.lap
    found = list[Tensor]()

    def learn(name: str, loss: Tensor) -> Tensor:
        found.append(learner.trained[name].gradients(loss))
        return found[-1]

    priorities = {name: tensor.clone() for name, tensor in lap.state().items()}
    with patch.object(learner, "learn", learn):
        algorithm._encoder_update()
        _, algorithm.batch = algorithm._critic_update()
        algorithm._actor_update()
    lap.restore(priorities)
    return found


def span(values: object) -> tuple[float, float, float]:
    """Median, 5 and 95 percent."""
    low, middle, high = np.quantile(np.asarray(values), (0.05, 0.5, 0.95))
    return float(middle), float(low), float(high)


def gains(times: dict[str, list[float]]) -> list[list[object]]:
    """For each row its median in milliseconds, and how much faster it is than the first, in paired
    rounds."""
    first = np.array(next(iter(times.values())))
    return [
        [name, 1e3 * np.median(found), *span(first / np.array(found))]
        for name, found in times.items()
    ]


def save(arguments: argparse.Namespace, **figures: object) -> None:
    """Write arguments and figures to `--json`, if it was given."""
    if arguments.json:
        settings = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in vars(arguments).items()
        }
        arguments.json.write_text(json.dumps({"arguments": settings, **figures}))


def gain(found: dict[str, dict[str, list[float]]], name: str) -> tuple[float, float, float]:
    """Ratio of one dense member's time to a row's, per member."""
    return span(np.array(found["seconds"]["dense, P = 1"]) / np.array(found["seconds"][name]))


def overhead(
    found: dict[str, dict[str, list[float]]], largest: int, interval: int = 1000
) -> tuple[float, float, float]:
    """What MST's masks cost beside dense, a rewire of the critic every `interval` updates included,
    as a share of a step."""
    dense, masked = (
        np.array(found["seconds"][f"{name}, P = {largest}"]) for name in ("dense", "mst")
    )
    rewire = float(np.median(found["seconds"]["rewire"])) / interval
    return span((masked + rewire) / dense - 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--json", type=Path, help="where every measured time goes, in seconds per member and step"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(
        arguments.width, arguments.batch, arguments.members, arguments.rounds, arguments.device
    )
    rows = [
        [name, 1e3 * np.median(times), *gain(found, name), np.median(found["floor"][name])]
        for name, times in found["seconds"].items()
        if name != "rewire"
    ]
    print(
        tabulate(
            rows,
            headers=["", "ms a member and step", "gain", "5 %", "95 %", "floor"],
            floatfmt=".2f",
        )
    )
    largest = arguments.members[-1]
    middle, low, high = overhead(found, largest)
    print(
        f"\nsparsity at P = {largest}, a rewire every 1000: {middle:+.1%} of a step"
        f" ({low:+.1%} to {high:+.1%})"
    )
    save(arguments, seconds=found["seconds"])


if __name__ == "__main__":
    main()
