"""How well learning hides the simulator: wall time of both beside the larger of the two alone, in
paired rounds.

    python benchmarks/overlap.py [--task dog-run] [--width 64] [--batch 64] [--members 8]
        [--device cpu] [--rounds 25] [--json FILE]

An agent step is one update and one step of every member's environment, in a worker process as in
training, in the order of training: an update that begins with a block for the encoder follows its
simulator step, because it reads the newest reward, and the next action needs what it learns. So the
best that there can be is (blocks + the larger of the other updates and their simulator steps);
`bound` is that, from the times of each alone. Each round times learning alone, simulating alone,
both one after the other and both beside each other. On a CPU it needs two free cores; beside a GPU
the simulator may use all there are. An evaluation (10 episodes a member) is timed once on 2
episodes, times 5, and given as a share of 5000 agent steps.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from core import CYCLE, DENSE, filled_agent, save, span
from tabulate import tabulate

from envs.tasks import TASKS
from envs.worker import Worker
from harness.options import Options
from harness.training.evaluation import Evaluator
from harness.training.precision import prepare, product_type

EVERY, EPISODES, TIMED = 5000, 10, 2


def measure(
    task_name: str,
    width: int,
    batch: int,
    members: int,
    rounds: int,
    device: str = "cpu",
    precision: str = "float32",
) -> dict[str, list[float]]:
    """Seconds an agent step: `train`, `env`, `after` (one after the other), `beside`, `bound`; and
    of one `evaluation`."""
    task, found = TASKS[task_name], dict[str, list[float]]()
    prepare(precision, device, deterministic=False)
    products, on_cuda = product_type(precision), device.startswith("cuda")
    agent = filled_agent(
        members, width, batch, DENSE, task.observation_size, task.action, device, products
    )
    with Worker(Options.watchdog_seconds) as worker:
        own_seeds = [[member] for member in range(members)]
        pool = worker.pool(task, own_seeds, 2, threads=None if on_cuda else 1)
        pool.reset()
        actions = np.random.default_rng(0).uniform(-1.0, 1.0, (members, 1, task.action))
        updates = list[tuple[bool, float]]()

        def learned() -> None:
            """The next action waits for the device, so an agent step ends when it has learned."""
            if on_cuda:
                torch.cuda.synchronize()

        def train() -> None:
            overlaps, begin = agent.overlaps(), time.perf_counter()
            agent.update()
            learned()
            updates.append((overlaps, time.perf_counter() - begin))

        def beside() -> None:
            overlaps = agent.overlaps()
            pool.send(actions)
            if overlaps:
                agent.update()
            pool.recv()
            if not overlaps:
                agent.update()
            learned()

        def after() -> None:
            agent.update()
            learned()
            pool.step(actions)

        work = {"train": train, "env": lambda: pool.step(actions), "after": after, "beside": beside}
        for number in range(rounds + 1):
            updates.clear()
            for name, once in work.items():
                begin = time.perf_counter()
                for _ in range(4 * CYCLE):
                    once()
                if number:  # the first round warms up
                    found.setdefault(name, []).append((time.perf_counter() - begin) / (4 * CYCLE))
            if number:
                env = found["env"][-1]
                best = sum(
                    max(taken, env) if overlaps else taken + env for overlaps, taken in updates
                )
                found.setdefault("bound", []).append(best / len(updates))
        seeds = [[10 * member + slot for slot in range(TIMED)] for member in range(members)]
        evaluator = Evaluator(worker, task, seeds, TIMED, 2)
        begin = time.perf_counter()
        evaluator(agent.snapshot(), 0, device)
        found["evaluation"] = [(time.perf_counter() - begin) * EPISODES / TIMED]
    return found


def quality(found: dict[str, list[float]], kind: str = "beside") -> tuple[float, float, float]:
    """Time of a kind over the larger of training and simulating alone: median, 5 and 95 percent."""
    return span(np.array(found[kind]) / np.maximum(found["train"], found["env"]))


def reached(found: dict[str, list[float]]) -> tuple[float, float, float]:
    """Wall time over the best that there can be: median, 5 and 95 percent."""
    return span(np.array(found["beside"]) / np.array(found["bound"]))


def evaluation_share(found: dict[str, list[float]]) -> float:
    """Of the wall time, with an evaluation every EVERY agent steps."""
    return found["evaluation"][0] / (
        found["evaluation"][0] + EVERY * float(np.median(found["beside"]))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="dog-run")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path, help="where every measured time goes, in seconds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = arguments.width, arguments.batch, arguments.members
    found = measure(arguments.task, *size, arguments.rounds, arguments.device, arguments.precision)
    rows = [
        [name, 1e3 * float(np.median(found[name]))]
        for name in ("train", "env", "after", "beside", "bound")
    ]
    print(tabulate(rows, headers=["", "ms an agent step"], floatfmt=".2f"))
    for kind in ("beside", "after", "bound"):
        print(
            f"{kind}: wall / max(train, env) {{:.2f}} ({{:.2f}} to {{:.2f}})".format(
                *quality(found, kind)
            )
        )
    print("beside / bound: {:.2f} ({:.2f} to {:.2f})".format(*reached(found)))
    print(f"evaluation: {evaluation_share(found):.1%} of the wall time")
    save(arguments, seconds=found)


if __name__ == "__main__":
    main()
