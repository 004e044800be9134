"""The table of agents: names to lazy places, so that importing the table imports no agent."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agents.lazy import load

if TYPE_CHECKING:
    from agents.protocol import AgentKind

AGENTS: dict[str, tuple[str, str, str, str]] = {
    "mrq": (
        "agents.mrq.settings:MRQSettings",
        "agents.mrq.spec",
        "agents.mrq.agent:MRQ",
        "MR.Q, arXiv 2501.16142",
    ),
}
"""Name -> (settings class, module of shapes, agent class, meaning)."""


def settings_class(agent: str) -> Any:
    """The settings dataclass of an agent; light, imports no torch."""
    return load(AGENTS[agent][0])


def shapes(agent: str) -> Any:
    """The module with `module_shapes(settings, observation, action)`, for each module its Linear layers and their copies,
    and `update_flops(settings, weights)`, operations of one agent step's learning; light, imports no torch."""
    return import_module(AGENTS[agent][1])


def agent_class(agent: str) -> AgentKind:
    """The agent class; imports torch."""
    kind: AgentKind = load(AGENTS[agent][2])
    return kind
