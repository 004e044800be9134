"""Measures how fast this machine steps environments and trains, for estimates of run times."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from agents.protocol import Agent
from agents.spec import AgentSpec, TaskShape
from envs.spec import Task
from envs.tasks import TASKS
from envs.worker import Worker
from harness.planning.cohorts import partition
from harness.planning.counting import count
from harness.planning.estimate import learning_seconds
from harness.planning.plan import Plan
from harness.planning.shapes import task_shape
from harness.seeding import generator
from harness.training.agents import build_agent

ENVIRONMENTS = 8
"""Environments that are stepped together, so that they share the cost of reaching the worker."""
RATE_SECONDS = 0.5
"""Duration of the measurement of an environment."""
WARM, TIMED = 2, 4
"""Agent steps that are left out, and agent steps that are timed."""


def environment_milliseconds(task: Task, worker: Worker) -> float:
    """Duration of one environment step on one thread under random actions."""
    pool = worker.pool(task, [range(ENVIRONMENTS)], threads=1)
    script = np.random.RandomState(1)
    pool.reset()
    pool.step(np.zeros((1, ENVIRONMENTS, task.action)))

    begin = time.perf_counter()
    steps = 0
    while time.perf_counter() - begin < RATE_SECONDS:
        pool.step(script.uniform(-1.0, 1.0, (1, ENVIRONMENTS, task.action)))
        steps += 1
    pool.close()
    return (time.perf_counter() - begin) / (task.action_repeat * ENVIRONMENTS * steps) * 1000.0


@dataclass(frozen=True)
class LearningRate:
    """How fast this machine learns, on one thread."""

    gflops: float
    """Operations a second, in 1e9."""
    slowness: float
    """The time of an agent step, over what `learning_seconds` says of such networks."""


def learning_rate(plan: Plan, settings: AgentSpec) -> LearningRate:
    """Measured of an agent with these settings on random numbers.

    The agent is that of the plan's cohort with the widest observations.
    """
    cohorts = partition(plan, "cpu").cohorts
    cohort = max(cohorts, key=lambda cohort: TASKS[cohort.task].observation_size)
    untimed = settings.learning_starts + WARM
    agent = build_agent(
        plan,
        cohort.runs[0],
        [plan.regimes[run.regime] for run in cohort.runs],
        lambda member, word: generator("doctor", cohort.task, member, word),
        settings=settings,
        agent_steps=untimed + TIMED,
    )

    # Of one member's learning in one agent step
    repeat = plan.budget.action_repeat
    task = task_shape(TASKS[cohort.task], repeat)
    members = len(cohort.runs)
    seconds = _seconds_a_step(agent, task, members, untimed) / members
    size, _ = count(settings, plan.regimes[cohort.runs[0].regime], cohort.task, repeat)
    return LearningRate(size.flops / seconds / 1e9, seconds / learning_seconds(size, members))


def _seconds_a_step(agent: Agent, task: TaskShape, members: int, untimed: int) -> float:
    """Duration of an agent step, the mean of the TIMED steps after `untimed` ones."""
    draws = torch.Generator().manual_seed(1)
    ends = np.zeros((members, 1), dtype=bool)
    begin = 0.0
    for step in range(untimed + TIMED):
        if step == untimed:
            begin = time.perf_counter()
        observation = torch.randn(members, 1, task.observation, generator=draws)  # [P, E, obs]
        agent.begin(observation, agent.act(observation, explore=True))
        agent.complete(torch.rand(members, 1, generator=draws), observation, ends, ends)
        agent.update()
    return (time.perf_counter() - begin) / TIMED
