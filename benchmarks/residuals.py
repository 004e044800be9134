"""What residuals do to networks before they have learned anything: saturated actions, first losses.

    python benchmarks/residuals.py [--tasks dog-run humanoid-run] [--width 512] [--depths 1 5]
        [--seeds 16] [--json FILE]

A row is one way to build residuals, at one depth, on one task: means over seeds. Rows of the replay
are real: the task under uniform random actions, the same for every row of the table. `saturated`
is the share of policy outputs beyond 0.99, `error` its standard error over seeds, `slope` the mean
derivative of the outputs' tanh. Losses are
those of the first batch that each module would learn from; `dynamics` is summed over the encoder's
horizon, as it is learned. `zs`, `zsa`, `Q` and `u` (the policy before its tanh) are root mean
squares. One thread.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor

from agents.members.blocks import RESIDUALS, BlockType, block_type
from agents.mrq import losses
from agents.mrq.agent import MRQ, build
from agents.mrq.spec import MRQSpec
from agents.mrq.updates import actor_loss, encoder_loss, td_target
from agents.off_policy import OffPolicy
from agents.protocol import Setup
from agents.sparsity.regime import REGIMES, ModuleRegime
from envs.pool import Pool
from envs.spec import Task
from envs.tasks import TASKS
from harness.planning.shapes import task_shape

AT_ONCE = 4
"""Seeds that are held in memory together."""
FILL = 600
"""Agent steps in the replay: more than one episode of every task."""
SATURATED = 0.99
BUILDS = {
    "stock": None,
    "pre/all": {"residual": "pre", "shortcuts": "all"},
    "pre/inner": {"residual": "pre", "shortcuts": "inner"},
    "post/all": {"residual": "post", "shortcuts": "all"},
    "post/inner": {"residual": "post", "shortcuts": "inner"},
}
"""Name -> settings of residuals of T6, T6, T5; None: T4, T4, T3."""


Figures = dict[str, Tensor]
"""Name -> figure of each seed: [P]."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=["dog-run", "humanoid-run"], choices=TASKS)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 5], help="factors of 2 layers")
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    rows = list[dict[str, object]]()
    for task, depth in itertools.product(arguments.tasks, arguments.depths):
        figures = of_all_seeds(TASKS[task], arguments.width, depth, arguments.seeds)
        for (name, final_norm), of_seeds in figures.items():
            said = {"task": task, "layers": 2 * depth, "blocks": name, "final_norm": final_norm}
            means = {figure: float(values.mean()) for figure, values in of_seeds.items()}
            error = float(of_seeds["saturated"].std()) / math.sqrt(arguments.seeds)
            rows.append({**said, "saturated": means["saturated"], "error": error, **means})
        print(tabulate(rows, headers="keys", floatfmt=".3g", tablefmt="github"), flush=True)

    if arguments.json:
        asked = {"width": arguments.width, "seeds": arguments.seeds, "torch": torch.__version__}
        arguments.json.write_text(json.dumps({**asked, "rows": rows}, indent=1) + "\n")


def of_all_seeds(task: Task, width: int, depth: int, seeds: int) -> dict[tuple[str, str], Figures]:
    """Figures of every way to build networks, a few seeds at a time."""
    parts = dict[tuple[str, str], list[Figures]]()
    for first in range(0, seeds, AT_ONCE):
        keys = range(first, min(first + AT_ONCE, seeds))
        agent = filled_agent(task, width, depth, keys)
        for way in itertools.product(BUILDS, RESIDUALS["final_norm"]):
            parts.setdefault(way, []).append(measured(agent, *way))
    return {
        way: {name: torch.cat([part[name] for part in of_way]) for name in of_way[0]}
        for way, of_way in parts.items()
    }


def filled_agent(task: Task, width: int, depth: int, seeds: Sequence[int]) -> OffPolicy[MRQ]:
    """Dense members, one for each seed, with random experience of a task, ready to learn."""
    settings = MRQSpec(warmup=FILL).with_width(width).scaled(1, depth)
    dense = dict.fromkeys(MRQSpec.MODULES, ModuleRegime())
    setup = Setup(
        task=task_shape(task, task.action_repeat),
        agent_steps=2 * FILL,
        blocks=MRQSpec.BLOCKS,
        regimes=[dense] * len(seeds),
        streams=lambda member, word: torch.Generator().manual_seed(
            1000 * seeds[member] + sum(word.encode())
        ),
    )
    agent = build(setup, settings)

    # The task under the agent's own random actions
    pool = Pool(task, [[seed + 1] for seed in seeds], threads=1)
    observation = pool.reset()
    for _ in range(FILL):
        seen = torch.from_numpy(observation).to(setup.dtype)
        action = agent.act(seen, explore=True)
        agent.begin(seen, action)
        step = pool.step(action.numpy().astype(np.float64))
        after = torch.from_numpy(step.observation).to(setup.dtype)
        reward = torch.from_numpy(step.reward)
        agent.complete(reward, after, step.terminated, step.truncated)
        observation = step.start

    # As the first cycle begins
    agent.algorithm.scales.reward.copy_(agent.replay.reward_scale())
    return agent


def blocks_of(name: str, final_norm: str) -> dict[str, BlockType]:
    """The block type of each module. Stock may have a final norm here; a suite cannot state it."""
    residuals = BUILDS[name]
    types = MRQSpec.BLOCKS if residuals is not None else REGIMES["stock"].blocks
    return {
        module: replace(block_type(types[module], residuals), final_norm=final_norm)
        for module in MRQSpec.MODULES
    }


@torch.no_grad()
def measured(agent: OffPolicy[MRQ], name: str, final_norm: str) -> Figures:
    """The agent's networks, built in another way from the same weights, on one batch."""
    algorithm = agent.algorithm
    networks, settings = algorithm.networks, algorithm.settings
    networks.blocks = blocks_of(name, final_norm)
    shape = (agent.learner.members, settings.batch_size)
    generator = torch.Generator().manual_seed(1)
    index = agent.replay.sample(torch.rand(shape, generator=generator, dtype=torch.float64))

    # The encoder's losses, each without the others
    windows = agent.replay.windows(index, settings.encoder_horizon)
    parts = Figures()
    for part, other in (("dynamics", "reward"), ("reward", "dynamics")):
        weights: Any = {f"{other}_weight": 0.0, f"{part}_weight": 1.0}
        alone = replace(settings, **weights)
        parts[part] = encoder_loss(
            networks,
            algorithm.online["encoder"],
            algorithm.target["encoder"],
            windows,
            agent.replay.terminates,
            algorithm.bins,
            alone,
        )

    # Critic and actor on the same rows
    window = agent.replay.windows(index, settings.q_horizon)
    noise = torch.randn((*shape, agent.setup.task.action), generator=generator)
    target = td_target(
        networks, algorithm.online, algorithm.target, window, noise, algorithm.scales, settings
    )
    q = networks.q_values(target.zsa, algorithm.online["critic"])
    of_policy, _ = actor_loss(networks, algorithm.online, target.zs, settings)
    action, u = networks.policy(target.zs, algorithm.online["actor"])
    return {
        "saturated": (action.abs() > SATURATED).float().mean((1, 2)),
        "slope": (1.0 - action.square()).mean((1, 2)),
        "zs": rms(target.zs),
        "zsa": rms(target.zsa),
        "u": rms(u),
        "Q": rms(q),
        **parts,
        "critic": losses.critic_loss(q, target.value).mean(1),
        "actor": of_policy.mean(1),
    }


def rms(x: Tensor) -> Tensor:
    """Root mean square of the entries of each member: [P, ...] -> [P]."""
    return x.square().flatten(1).mean(1).sqrt()


if __name__ == "__main__":
    main()
