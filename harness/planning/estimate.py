"""What a plan will take: memory and disk are counted exactly, hours are estimated from rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from envs.tasks import TASKS
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.planning.sizing import cohort_gib, run_memory
from leaderboard.formats.network import Size
from leaderboard.formats.run import Run

STATE_BYTES = 16
"""Of a parameter in a checkpoint: weight, target and two moments in float32."""
STATES = 2
"""Checkpoints on disk at a time (harness/training/checkpoint.py); they share the replay's rows."""
RESULT_BYTES = 4.3
"""Of a parameter in the results: its weight in float32, two bits of masks, and headers."""
RUN_BYTES = 8192
"""Of a run in the results beside that: its documents, and its share of the entry."""
RECORD_BYTES = 2048
"""Of an evaluation in the records."""

PRODUCTS = 60e9
"""Operations a second of the training core's matrix products, on one thread of a busy AMD EPYC."""
PARAMETER_SECONDS = 7.5e-9
"""What an update takes besides them for each parameter: optimiser, masks, copies. Memory's rate."""
MEMBER_SECONDS = 1.3e-3
"""The same for each member: layers, losses, replay."""
STEP_SECONDS = 3e-3
"""The same for all members together: launching some 700 operations."""

LIMIT_FACTOR = 1.25
LIMIT_GIB = 0.5
"""A limit is the estimate times the factor, and this on top."""
JOB_CORES = {"cpu": 2, "cuda": 8}
"""Device class -> CPUs that a scheduler is asked for: one learns, the others simulate."""


@dataclass(frozen=True)
class Rates:
    """How fast a machine is.

    The defaults were measured on one core of a busy AMD EPYC; `doctor` measures this machine.
    """

    slowness: float = 1.0
    """Time that learning takes, over what the constants above give."""
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
    """Works out an estimate from shapes and budgets; nothing is run."""
    parameters = 0
    memory = 0.0
    disk = 0.0
    checkpoint = 0.0
    hours = 0.0
    for cohort in cohorts:
        run = cohort.runs[0]
        members = len(cohort.runs)
        size = plan.sizes[run.group].parameters

        # Of the largest cohort: one process holds it.
        parameters = max(parameters, size)
        memory = max(memory, cohort_gib(plan, run, members))
        needs = run_memory(plan, run)
        saved = needs.replay + (STATES - 1) * needs.drawing + STATES * STATE_BYTES * size
        checkpoint = max(checkpoint, members * saved / 2**30)

        # Of all runs together
        records = RECORD_BYTES * (plan.budget.agent_steps // plan.evaluation.every + 1)
        disk += members * (size * RESULT_BYTES + RUN_BYTES + records) / 2**30
        hours += members * _run_seconds(plan, run, members, rates) / 3600.0
    return Estimate(parameters, memory, disk, checkpoint, hours)


def final_seconds(plan: Plan, run: Run, rates: Rates = Rates()) -> float:
    """Seconds that one core simulates to score the final policy of a run."""
    steps = plan.evaluation.final_episodes * TASKS[run.task].horizon
    return steps * _step_ms(run, rates) / 1000.0


def _step_ms(run: Run, rates: Rates) -> float:
    """Milliseconds of one environment step on one thread."""
    task = TASKS[run.task]
    return rates.environment_ms.get(task.domain, task.step_ms)


def memory_limit_mib(gib: float) -> int:
    """What a scheduler is asked for, where an estimate says so much: above it a cohort is
    killed."""
    return math.ceil((gib * LIMIT_FACTOR + LIMIT_GIB) * 1024)


def _run_seconds(plan: Plan, run: Run, members: int, rates: Rates) -> float:
    """Seconds of one run on one core: learning, and simulating for training and evaluation."""
    learning_starts = plan.agent_settings(run).learning_starts
    learning_steps = max(0, plan.budget.agent_steps - learning_starts)
    learning = learning_steps * learning_seconds(plan.sizes[run.group], members)
    return rates.slowness * learning + simulated_seconds(plan, run, rates)


def learning_seconds(size: Size, members: int) -> float:
    """Seconds of one agent step's updates of one of so many members, by the constants."""
    rest = PARAMETER_SECONDS * size.parameters + MEMBER_SECONDS + STEP_SECONDS / members
    return size.flops / PRODUCTS + rest


def simulated_seconds(plan: Plan, run: Run, rates: Rates = Rates()) -> float:
    """Seconds that one core simulates for one run: training and evaluations."""
    budget = plan.budget

    # Scheduled evaluations simulate as well: whole episodes, each time.
    evaluations = budget.agent_steps // plan.evaluation.every
    evaluated = evaluations * plan.evaluation.episodes * TASKS[run.task].horizon
    simulated = (budget.environment_steps + evaluated) * _step_ms(run, rates) / 1000.0
    return simulated + final_seconds(plan, run, rates)
