"""Loads the policies of an entry into an agent of our own code.

No code of a submission runs. Its tensors are copied if they are exactly those that the settings of
its plan ask for.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from agents.members.module import Module
from agents.protocol import Agent
from agents.sparsity.regime import ModuleRegime
from envs.tasks import TASKS
from harness.errors import UNVERIFIED, UserError
from harness.folder import Folder
from harness.machine import resources
from harness.planning.plan import Plan
from harness.planning.shapes import task_shape
from harness.planning.sizing import BYTES_PER_PARAMETER
from harness.seeding import generator
from harness.training.agents import build_agent
from leaderboard.formats.run import Run

SLACK = 1 << 20
"""Bytes that a file of tensors may have beyond its tensors."""


class Unreadable(UserError):
    """A policy that cannot be rolled out: the entry is refused."""

    code = UNVERIFIED


def load_policies(folder: Path, plan: Plan, runs: list[Run], members: int) -> Agent:
    """An agent of `members` members that have the tensors of these runs, in turns.

    Raises Unreadable for tensors that do not fit.
    """
    run = runs[0]
    settings = plan.agent_settings(run)
    _check_memory(folder, plan, run, members)

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
    for member in range(members):
        run_folder = Folder(folder).run(runs[member % len(runs)])
        for module in plan.policy_modules:
            _load(run_folder.tensors(module), agent.modules()[module].parameters, member)
    return agent


def _check_memory(folder: Path, plan: Plan, run: Run, members: int) -> None:
    """Unreadable if the networks that a stranger's plan asks for would fill the memory."""
    task = task_shape(TASKS[run.task], plan.budget.action_repeat)
    size = 0
    for layers, copies in plan.agent_settings(run).shapes(task).values():
        size += members * copies * sum(layer.size for layer in layers)
    if size * BYTES_PER_PARAMETER / 2**30 > resources.memory_gib():
        raise Unreadable(
            f"{folder}: the plan's networks have {size} weights, more than there is memory for"
            " here."
        )


@torch.no_grad()
def _load(path: Path, module: Module, member: int) -> None:
    """Copies a module's tensors into a member, if they are exactly those that it has."""
    # The copies of a member lie side by side. Shape: [P * copies, ...] -> [copies, ...]
    rows = slice(member * module.copies, (member + 1) * module.copies)
    own = {name: tensor.detach()[rows] for name, tensor in module.parameters.items()}

    # A file that is larger than its tensors can be is not even read.
    largest = sum(tensor.nbytes for tensor in own.values()) + SLACK
    try:
        if path.stat().st_size > largest:
            raise ValueError(f"has {path.stat().st_size} bytes, at most {largest} are read")
        submitted = load_file(path)
        if _forms(submitted) != _forms(own):
            raise ValueError("does not hold the tensors of the plan's networks")
    except (OSError, ValueError, SafetensorError) as error:
        raise Unreadable(f"{path}: {error}") from None

    for name, tensor in own.items():
        tensor.copy_(submitted[name])


def _forms(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}
