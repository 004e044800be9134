"""A digest of scripted rollouts: equal on two machines when they simulate the same task with the same bits."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from importlib import resources

import numpy as np

from envs.spec import Task
from envs.worker import Worker

SEEDS = (101, 202)
AGENT_STEPS = 20


def fingerprint(task: Task, worker: Worker) -> str:
    """sha256 over observations and rewards of two environments, two episodes each, under seeded random actions."""
    pool = worker.pool(task, SEEDS, threads=1)
    script = np.random.RandomState(7)
    digest = hashlib.sha256()
    for _ in range(2):
        digest.update(pool.reset().tobytes())
        for _ in range(AGENT_STEPS):
            step = pool.step(script.uniform(-1.0, 1.0, (len(SEEDS), task.action)))
            digest.update(step.observation.tobytes() + step.reward.tobytes())
    pool.close()
    return digest.hexdigest()


@cache
def reference(task: str) -> str | None:
    """The fingerprint that the pinned libraries give on this instruction set, where one is recorded (fingerprints.json)."""
    text = resources.files("envs").joinpath("fingerprints.json").read_text(encoding="utf-8")
    recorded: dict[str, dict[str, str]] = json.loads(text)
    return recorded.get(platform.machine(), {}).get(task)
