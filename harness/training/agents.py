"""Builds the agent of runs that share a task and a network."""

from __future__ import annotations

from collections.abc import Sequence

from agents.catalog import agent_builder
from agents.protocol import Agent, Setup, Streams
from agents.sparsity.regime import Regime
from agents.spec import AgentSpec
from envs.tasks import TASKS
from harness.planning.plan import Plan
from harness.planning.shapes import task_shape
from harness.training.precision import product_type
from leaderboard.formats.run import Run


def build_agent(
    plan: Plan,
    run: Run,
    regimes: Sequence[Regime],
    streams: Streams,
    *,
    settings: AgentSpec | None = None,
    agent_steps: int | None = None,
    device: str = "cpu",
    record: bool = True,
) -> Agent:
    """An agent with one member for each regime, on the task and with the network of `run`.

    `settings` and `agent_steps`: other ones than the plan's. `record`: capture steps where the
    device can.
    """
    setup = Setup(
        task=task_shape(TASKS[run.task], plan.budget.action_repeat),
        agent_steps=agent_steps or plan.budget.agent_steps,
        blocks=plan.blocks_of(run),
        regimes=regimes,
        streams=streams,
        device=device,
        products=product_type(plan.precision),
        record=record,
    )
    return agent_builder(plan.agent)(setup, settings or plan.agent_settings(run))
