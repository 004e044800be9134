"""The canary: a short training on made-up transitions, whose digest changes if learning changes.

Two members, 200 updates, on this CPU, in a second. If two versions of the code have equal digests
on one kind of machine, learning is bit-identical there. Different digests mean only that behaviour,
or the machine, changed; then statistics decide.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from agents.mrq.agent import MRQ
from agents.mrq.settings import MRQSettings
from agents.protocol import Setup
from agents.sparsity.regime import REGIMES, ModuleRegime
from harness.seeding import generator

OBSERVATION, ACTION, EPISODE, UPDATES = 9, 3, 25, 200
SETTINGS = MRQSettings(
    width=16, zs_dim=16, za_dim=8, zsa_dim=16, batch_size=16, warmup=40, target_cycle=20
)
TRAINED = ("dst", "mst")
"""Regimes of the two members."""


def canary() -> str:
    """sha256 of everything that learning changed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _digest(_trained())
    finally:
        torch.set_num_threads(threads)


def _trained() -> MRQ:
    """An agent after the warm-up and all updates in a world of random linear dynamics."""
    steps = SETTINGS.warmup + UPDATES
    agent = MRQ(_setup(steps), SETTINGS)

    # The world: what comes next is linear in observation and action, with noise.
    members = len(TRAINED)
    draws = generator("canary", "made-up", 0, "world")
    world = 0.3 * torch.randn(ACTION, OBSERVATION, generator=draws)
    observation = torch.randn(members, 1, OBSERVATION, generator=draws)  # [P, E, obs]
    never = np.zeros((members, 1), dtype=bool)

    for step in range(1, steps + 1):
        action = agent.act(observation, explore=True)
        agent.begin(observation, action)
        noise = torch.randn(members, 1, OBSERVATION, generator=draws)
        after = 0.9 * observation + action @ world + 0.1 * noise
        reward = torch.exp(-after.square().mean(-1))  # [P, E]
        agent.complete(reward, after, never, never | (step % EPISODE == 0))
        agent.update()
        observation = after
    return agent


def _setup(steps: int) -> Setup:
    regimes = []
    for name in TRAINED:
        rows = REGIMES[name].modules
        regimes.append({module: _triple(row) for module, row in rows.items()})

    # Blocks with norm and residual, so that their code counts too.
    return Setup(
        observation=OBSERVATION,
        action=ACTION,
        agent_steps=steps,
        episode_steps=EPISODE,
        terminates=False,
        blocks={"encoder": "T6", "critic": "T6", "actor": "T5"},
        regimes=regimes,
        streams=lambda member, word: generator("canary", "made-up", member, word),
    )


def _triple(row: str) -> ModuleRegime:
    return ModuleRegime() if row == "dense" else ModuleRegime.of(row, sparsity=0.6, interval=40)


def _digest(agent: MRQ) -> str:
    tensors = list[Tensor]()
    for module in agent.parts.values():
        tensors += [module.flat.detach(), module.target, *module.moments]
        if module.keep is not None:
            tensors.append(module.keep)
    tensors += [agent.replay.lap.priority, agent.replay.rows, agent.reward_scale]

    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
