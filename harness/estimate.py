"""What a plan will take: arithmetic, memory and disk counted exactly, hours estimated from measured rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.catalog import agent_class
from envs.tasks import TASKS
from harness.evaluation import ENVIRONMENT_MIB, MEMORY_MIB
from harness.partition import Cohort
from harness.plan import Plan

CPU_GFLOPS = 60.0
"""Sustained single-thread rate of the training core at width 512: 65 was measured on a busy 2-core AMD EPYC."""
ENVIRONMENT_MS = {"dog": 0.40, "humanoid": 0.14}
"""One environment step on one thread (measured with EnvPool 1.2.5); other domains take about 0.05."""
BYTES_PER_PARAMETER = 24
"""Weight, target, two moments, gradient and its masked copy in float32."""


@dataclass(frozen=True)
class Estimate:
    """What one cohort process needs, and what everything takes."""

    parameters: int
    """Trained parameters of one run."""
    memory_gib: float
    """Of the largest cohort."""
    disk_gib: float
    """Of all results."""
    core_hours: float
    """One-core CPU hours of all runs: an estimate, good to a factor of two."""


def estimate(plan: Plan, cohorts: Sequence[Cohort]) -> Estimate:
    """From shapes and budgets; nothing is run."""
    kind, settings, budget = agent_class(plan.agent), plan.agent_settings(), plan.budget
    largest_parameters, memory, disk, hours = 0, 0.0, 0.0, 0.0
    for cohort in cohorts:
        task = TASKS[cohort.task]
        shapes = kind.shapes(settings, task.observation_size, task.action).values()
        parameters = sum(copies * sum(linear.size + linear.fan_out for linear in linears) for linears, copies in shapes)
        members = len(cohort.runs)
        row = 4 * (task.observation_size + task.action + 2) + 9
        replay = row * min(settings.buffer_size, budget.agent_steps + budget.environment_steps // task.horizon)
        environment = ENVIRONMENT_MIB.get(task.domain, 13) << 20
        evaluating = min(MEMORY_MIB << 20, environment * plan.evaluation.environments * members)
        needs = members * (BYTES_PER_PARAMETER * parameters + replay + environment) + evaluating + (600 << 20)
        flops = kind.flops(settings, task.observation_size, task.action)
        evaluated = budget.agent_steps // plan.evaluation.every * plan.evaluation.episodes * task.horizon
        simulating = (budget.environment_steps + evaluated) * ENVIRONMENT_MS.get(task.domain, 0.05) / 1000.0
        hours += members * (flops * budget.updates["critic"] / (CPU_GFLOPS * 1e9) + simulating) / 3600.0
        largest_parameters = max(largest_parameters, parameters)
        memory = max(memory, needs / 2**30)
        disk += members * parameters * 4.3 / 2**30
    return Estimate(largest_parameters, memory, disk, hours)
