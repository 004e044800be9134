"""A digest of scripted rollouts: equal on two machines that simulate a task to the same bits."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from importlib import resources

import numpy as np

from envs.spec import Task
from envs.worker import Worker

SEEDS = ((101,), (202,))
EPISODES = 2
AGENT_STEPS = 20
"""Of each episode; the rest of it is cut off."""


def fingerprint(task: Task, worker: Worker) -> str:
    """sha256 over observations and rewards of a few short episodes under seeded random actions."""
    pool = worker.pool(task, SEEDS, threads=1)
    random = np.random.RandomState(7)
    digest = hashlib.sha256()

    for _ in range(EPISODES):
        digest.update(pool.reset().tobytes())
        for _ in range(AGENT_STEPS):
            step = pool.step(random.uniform(-1.0, 1.0, (len(SEEDS), 1, task.action_spec.size)))
            digest.update(step.observation.tobytes())
            digest.update(step.reward.tobytes())

    pool.close()
    return digest.hexdigest()


@cache
def reference(task: str) -> str | None:
    """The fingerprint that the pinned libraries give on this machine's instruction set.

    None where `fingerprints.json` has none for it.
    """
    text = resources.files("envs").joinpath("fingerprints.json").read_text(encoding="utf-8")
    recorded: dict[str, dict[str, str]] = json.loads(text)
    return recorded.get(platform.machine(), {}).get(task)
