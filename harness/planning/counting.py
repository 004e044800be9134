"""Counts the networks of a regime on a task: layers, masks, parameters, operations."""

from __future__ import annotations

from collections.abc import Mapping

from agents.sparsity.counting import size
from agents.sparsity.regime import ModuleRegime
from agents.spec import AgentSpec
from envs.tasks import TASKS
from harness.planning.shapes import task_shape
from leaderboard.formats.network import Layer, Network, Size

Counted = tuple[Size, dict[str, Network]]
"""Size of a run's networks, and the networks by module."""


def count(
    settings: AgentSpec, regime: Mapping[str, ModuleRegime], task: str, action_repeat: int
) -> Counted:
    """Size and layers of the networks that `settings` give on a task under a regime."""
    shapes = settings.shapes(task_shape(TASKS[task], action_repeat))
    counted = size(shapes, regime, settings.flops)

    networks = dict[str, Network]()
    for module, (linears, copies) in shapes.items():
        first, last = regime[module].counts(linears)
        layers = {
            linear.name: Layer(linear.fan_in, linear.fan_out, before, after)
            for linear, before, after in zip(linears, first, last, strict=True)
        }
        networks[module] = Network(copies, layers)
    stated = Size(counted.parameters, counted.active, counted.flops, counted.active_flops)
    return stated, networks
