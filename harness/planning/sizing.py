"""How many members a cohort has: from declared memory and a shipped table of gains, never a clock.

A table gives the same cohorts, and so the same numbers, on every machine of a device class.
A larger cohort is worth its memory only where it is faster: the size is the smallest that reaches
ENOUGH of the best gain that fits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from agents.spec import Memory
from envs.tasks import TASKS
from harness.planning.plan import Plan
from harness.planning.shapes import task_shape
from leaderboard.formats.run import Run

ENOUGH = 0.9
"""Share of the best gain that a smaller cohort must reach to be preferred."""
MEMORY_MIB = 2048
"""Memory that evaluation environments of one cohort may take at a time."""


@dataclass(frozen=True)
class Gains:
    """How much more members a second a cohort does than one alone, by width of the network."""

    by_width: Mapping[int, Mapping[int, float]]
    """Width of a hidden layer -> members -> gain. The nearest width, by ratio, is looked up."""
    memory_gib: tuple[float, ...]
    """Amounts that may be declared: the first is the default, the others for smaller cards."""


GAINS: dict[str, Gains] = {
    "cpu": Gains(
        # measured: results/README.md
        by_width={64: {1: 1.0, 4: 1.72, 8: 1.83}, 512: {1: 1.0, 4: 1.0}},
        memory_gib=(4.0,),
    ),
    "cuda": Gains(
        # width 512 measured on one H200 in tf32 (results/README.md) but for 4 members, the other
        # widths estimated for it
        by_width={
            512: {1: 1.0, 4: 2.5, 8: 4.3, 20: 5.3, 40: 5.9},
            1536: {1: 1.0, 4: 1.4, 8: 1.5, 20: 1.6, 40: 1.6},
            2560: {1: 1.0, 4: 1.29, 8: 1.32, 20: 1.34, 40: 1.36},
        },
        memory_gib=(64.0, 32.0, 16.0, 8.0),
    ),
}
"""Device class -> gains."""

BYTES_PER_PARAMETER = 32
"""Weight, target, two moments, mask, gradient, its parts and its masked copy in float32."""
LIBRARIES = 900 << 20
"""Bytes of a process that has loaded torch and EnvPool."""


def cohort_gib(plan: Plan, run: Run, members: int) -> float:
    """Memory of the process of a cohort of runs like this one, in GiB; on a GPU most of it is the
    card's."""
    # One member: parameters, replay, activations, and the environment that it learns from
    environment = TASKS[run.task].memory_mib << 20
    needs = run_memory(plan, run)
    trained = BYTES_PER_PARAMETER * plan.sizes[run.group].parameters
    member = trained + needs.replay + needs.updates + environment

    # Evaluation builds environments in turns, so as to stay below its limit.
    evaluating = min(MEMORY_MIB << 20, environment * plan.evaluation.environments * members)
    return (members * member + evaluating + LIBRARIES) / 2**30


def run_memory(plan: Plan, run: Run) -> Memory:
    """What a run's replay and updates hold."""
    task = task_shape(TASKS[run.task], plan.budget.action_repeat)
    return plan.agent_settings(run).memory(task, plan.budget.agent_steps)


def cohort_size(plan: Plan, run: Run, device_class: str, memory_gib: float) -> int:
    """Members of a cohort of runs like this one; 1 where even that does not fit."""
    gains = GAINS[device_class].by_width
    width = plan.agent_settings(run).width
    nearest = min(gains, key=lambda known: abs(math.log(known / width)))

    # The largest gain that fits sets the mark; the smallest cohort near it is taken.
    fitting = {
        size: gain
        for size, gain in gains[nearest].items()
        if cohort_gib(plan, run, size) <= memory_gib
    }
    best = max(fitting.values(), default=1.0)
    return min((size for size, gain in fitting.items() if gain >= ENOUGH * best), default=1)


def declared_gib(device_class: str, card: float | None = None) -> float:
    """The largest shipped memory budget that fits into a card of `card` GiB; the smallest if none
    does, the first without a card."""
    amounts = GAINS[device_class].memory_gib
    if card is None:
        return amounts[0]
    fitting = [amount for amount in amounts if amount <= card]
    return fitting[0] if fitting else amounts[-1]


def card_gib(device: str) -> float | None:
    """Memory budget for the cohorts of a device, by what its card holds; None: the default."""
    if not device.startswith("cuda"):
        return None
    import torch

    # Containers see cards that this process may not see.
    if not torch.cuda.is_available():
        return None
    _, total = torch.cuda.mem_get_info(torch.device(device))
    return declared_gib("cuda", total / 2**30)
