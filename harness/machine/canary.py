"""The canary: a short training on made-up transitions, whose every bit says whether the training code still does the same.

Two members, 200 updates, on this CPU, in a second. Equal digests of two versions of the code on one kind of machine mean that
learning is bit-identical there; different ones only that behaviour, or the machine, changed, and then statistics decide.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch

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


def canary() -> str:
    """sha256 of everything that learning changed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _digest(_trained())
    finally:
        torch.set_num_threads(threads)


def _trained() -> MRQ:
    rows = [REGIMES[name].modules for name in TRAINED]
    regimes = [{module: _triple(row) for module, row in modules.items()} for modules in rows]
    steps = SETTINGS.warmup + UPDATES
    setup = Setup(
        observation=OBSERVATION,
        action=ACTION,
        agent_steps=steps,
        episode_steps=EPISODE,
        terminates=False,
        blocks={"encoder": "T6", "critic": "T6", "actor": "T5"},
        regimes=regimes,
        streams=lambda member, word: generator("canary", "made-up", member, word),
    )
    agent, draws, members = (
        MRQ(setup, SETTINGS),
        generator("canary", "made-up", 0, "world"),
        len(TRAINED),
    )
    world = 0.3 * torch.randn(ACTION, OBSERVATION, generator=draws)
    seen, never = (
        torch.randn(members, 1, OBSERVATION, generator=draws),
        np.zeros((members, 1), dtype=bool),
    )
    for step in range(1, steps + 1):
        action = agent.act(seen, explore=True)
        agent.begin(seen, action)
        after = (
            0.9 * seen
            + action @ world
            + 0.1 * torch.randn(members, 1, OBSERVATION, generator=draws)
        )
        agent.complete(
            torch.exp(-after.square().mean(-1)), after, never, never | (step % EPISODE == 0)
        )
        agent.update()
        seen = after
    return agent


def _triple(row: str) -> ModuleRegime:
    return ModuleRegime() if row == "dense" else ModuleRegime.of(row, sparsity=0.6, interval=40)


def _digest(agent: MRQ) -> str:
    digest = hashlib.sha256()
    for module in agent.parts.values():
        for tensor in (
            module.flat.detach(),
            module.target,
            *module.moments,
            *([] if module.keep is None else [module.keep]),
        ):
            digest.update(tensor.numpy().tobytes())
    for tensor in (agent.replay.lap.priority, agent.replay.rows, agent.reward_scale):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
