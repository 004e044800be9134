"""Loads the policies of an entry into an agent of our own code.

No code of a submission runs. Its tensors are copied if they are exactly those that the settings of
its plan ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from agents.members.module import Module
from agents.protocol import Agent
from agents.sparsity.regime import ModuleRegime
from envs.tasks import TASKS
from harness.errors import UNVERIFIED, UserError
from harness.machine import resources
from harness.planning.plan import Plan
from harness.planning.shapes import task_shape
from harness.planning.sizing import BYTES_PER_PARAMETER
from harness.seeding import generator
from harness.training.agents import build_agent
from leaderboard.formats.layout import run_file, weights_file
from leaderboard.formats.run import Run

Read = Callable[[str], bytes]
"""Name of a file, seen from the entry's folder -> its bytes."""


class Unreadable(UserError):
    """A policy that cannot be rolled out: the entry is refused."""

    code = UNVERIFIED


def load_policies(read: Read, plan: Plan, runs: Sequence[Run]) -> Agent:
    """An agent whose members have the tensors of these runs, one each.

    Raises Unreadable for tensors that do not fit.
    """
    run = runs[0]
    members = len(runs)
    settings = plan.agent_settings(run)
    _check_memory(plan, run, members)

    # Masks do nothing here: the tensors have their zeros.
    dense = dict.fromkeys(settings.MODULES, ModuleRegime())
    agent = build_agent(
        plan,
        run,
        [dense] * members,
        lambda member, word: generator("reeval", run.task, member, word),
        agent_steps=1,
    )

    # Acting needs the policy's modules alone.
    for member, trained in enumerate(runs):
        for module in plan.policy_modules:
            file = run_file(trained.name, weights_file(module))
            _load(read(file), file, agent.modules()[module].parameters, member)
    return agent


def _check_memory(plan: Plan, run: Run, members: int) -> None:
    """Unreadable if networks and environments that a stranger's plan asks for would fill the
    memory."""
    task = TASKS[run.task]
    shape = task_shape(task, plan.budget.action_repeat)
    size = 0
    for layers, copies in plan.agent_settings(run).shapes(shape).values():
        size += members * copies * sum(layer.size for layer in layers)
    environments = plan.evaluation.environments
    needed = size * BYTES_PER_PARAMETER / 2**30 + environments * task.memory_mib / 1024
    if needed > resources.memory_gib():
        raise Unreadable(
            f"the plan's networks of {size} weights and its {environments}"
            f" environments need {needed:.1f} GiB, more than there is memory for here."
        )


@torch.no_grad()
def _load(content: bytes, name: str, module: Module, member: int) -> None:
    """Copies a module's tensors into a member, if they are exactly those that it has."""
    # The copies of a member lie side by side. Shape: [P * copies, ...] -> [copies, ...]
    rows = slice(member * module.copies, (member + 1) * module.copies)
    own = {name: tensor.detach()[rows] for name, tensor in module.parameters.items()}
    try:
        submitted = load(content)
    except SafetensorError as error:
        raise Unreadable(f"{name}: {error}") from None
    if _forms(submitted) != _forms(own):
        raise Unreadable(f"{name}: does not hold the tensors of the plan's networks")

    for tensor_name, tensor in own.items():
        tensor.copy_(submitted[tensor_name])


def _forms(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
