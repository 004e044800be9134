"""What a plan will take: arithmetic, memory and disk counted exactly, hours estimated from measured rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from envs.tasks import TASKS
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.planning.sizing import cohort_gib, run_memory


@dataclass(frozen=True)
class Rates:
    """How fast a machine is. The defaults were measured on one core of a busy AMD EPYC; `doctor` measures this machine."""

    gflops: float = 60.0
    """Sustained single-thread rate of the training core at width 512."""
    environment_ms: Mapping[str, float] = field(default_factory=dict)
    """One environment step on one thread as measured here, by domain. A task of any other domain
    takes what its row of the catalogue states."""


@dataclass(frozen=True)
class Estimate:
    """What one cohort process needs, and what everything takes."""

    parameters: int
    """Trained parameters of one run."""
    memory_gib: float
    """Of the largest cohort."""
    disk_gib: float
    """Of all results."""
    checkpoint_gib: float
    """Of the largest cohort's checkpoint while it runs."""
    core_hours: float
    """One-core CPU hours of all runs: an estimate, good to a factor of two."""


def estimate(plan: Plan, cohorts: Sequence[Cohort], rates: Rates = Rates()) -> Estimate:
    """From shapes and budgets; nothing is run."""
    budget = plan.budget
    largest_parameters, memory, disk, checkpoint, hours = 0, 0.0, 0.0, 0.0, 0.0
    for cohort in cohorts:
        task, run, members = TASKS[cohort.task], cohort.runs[0], len(cohort.runs)
        size = plan.sizes[run.group]
        evaluated = (
            budget.agent_steps // plan.evaluation.every * plan.evaluation.episodes * task.horizon
        )
        simulating = (
            (budget.environment_steps + evaluated)
            * rates.environment_ms.get(task.domain, task.step_ms)
            / 1000.0
        )
        hours += (
            members
            * (size.flops * budget.updates["critic"] / (rates.gflops * 1e9) + simulating)
            / 3600.0
        )
        largest_parameters = max(largest_parameters, size.parameters)
        memory = max(memory, cohort_gib(plan, run, members))
        checkpoint = max(
            checkpoint,
            members * (run_memory(plan, run).replay + 2 * 16 * size.parameters) / 2**30,
        )
        disk += members * size.parameters * 4.3 / 2**30
    return Estimate(largest_parameters, memory, disk, checkpoint, hours)
