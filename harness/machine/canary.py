"""The canary: a short training on made-up transitions, whose every bit says whether the training
code still does the same.

Two members, 200 updates, on this CPU, in a second. Equal digests of two versions of the code on one
kind of machine mean that this algorithm's learning is bit-identical there; different ones only that
behaviour, or the machine, changed, and then statistics decide.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.catalog import agent_builder, agent_spec
from agents.protocol import Agent, Setup
from agents.sparsity.regime import REGIMES, ModuleRegime
from agents.spec import TaskShape
from harness.seeding import generator

TASK = TaskShape(observation=9, action=3, episode_steps=25, terminates=False)
UPDATES = 200
TRAINED = ("dst", "mst")
"""Regimes of the two members."""


def canary(agent: str) -> str:
    """sha256 of everything that learning of this algorithm changed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _digest(_trained(agent))
    finally:
        torch.set_num_threads(threads)


def _trained(name: str) -> Agent:
    """The algorithm after UPDATES agent steps of learning in a small linear world."""
    spec = agent_spec(name)
    settings = spec.smallest()
    steps = settings.learning_starts + UPDATES
    setup = Setup(
        task=TASK,
        agent_steps=steps,
        blocks=spec.BLOCKS,
        regimes=[_regime(regime, spec.MODULES) for regime in TRAINED],
        streams=lambda member, word: generator("canary", "made-up", member, word),
    )
    agent = agent_builder(name)(setup, settings)

    # The world: the next observation is a leaky sum of this one, of the action, and of noise
    members = len(TRAINED)
    draws = generator("canary", "made-up", 0, "world")
    push = 0.3 * torch.randn(TASK.action, TASK.observation, generator=draws)
    observation = torch.randn(members, 1, TASK.observation, generator=draws)
    never = np.zeros((members, 1), dtype=bool)
    for step in range(1, steps + 1):
        action = agent.act(observation, explore=True)
        agent.begin(observation, action)
        noise = 0.1 * torch.randn(members, 1, TASK.observation, generator=draws)
        following = 0.9 * observation + action @ push + noise
        reward = torch.exp(-following.square().mean(-1))
        agent.complete(reward, following, never, never | (step % TASK.episode_steps == 0))
        agent.update()
        observation = following
    return agent


def _regime(name: str, modules: tuple[str, ...]) -> dict[str, ModuleRegime]:
    rows = REGIMES[name].of(modules)
    return {module: _triple(rows[module]) for module in modules}


def _triple(row: str) -> ModuleRegime:
    return ModuleRegime() if row == "dense" else ModuleRegime.of(row, sparsity=0.6, interval=40)


def _digest(agent: Agent) -> str:
    """Over the agent's whole state and its replay, in the order of their names."""
    digest = hashlib.sha256()
    for rows in agent.replay_rows([0] * len(TRAINED)):
        digest.update(rows.numpy().tobytes())
    _add(digest, agent.state())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, value: Any) -> None:
    """Feeds nested dicts, lists, tensors and numbers to a digest."""
    if isinstance(value, Tensor):
        digest.update(value.detach().numpy().tobytes())
    elif isinstance(value, dict):
        for key in sorted(value):
            digest.update(key.encode())
            _add(digest, value[key])
    elif isinstance(value, list):
        for element in value:
            _add(digest, element)
    else:
        digest.update(repr(value).encode())
