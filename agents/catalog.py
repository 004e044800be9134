"""The table of algorithms: names to lazy imports, so importing the table imports no algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.lazy import load
from agents.spec import AgentSpec

if TYPE_CHECKING:
    from agents.protocol import AgentBuilder


@dataclass(frozen=True)
class Algorithm:
    """One algorithm: a folder with the same file names as every other."""

    folder: str
    """Its package; `spec.py` holds SPEC and loads no torch, `agent.py` holds BUILD."""
    meaning: str
    """Name and source."""


AGENTS: dict[str, Algorithm] = {
    "mrq": Algorithm("agents.mrq", "MR.Q, arXiv 2501.16142"),
}
"""Name in a suite -> algorithm."""


def agent_spec(agent: str) -> type[AgentSpec]:
    """The settings class of an algorithm; loads no torch."""
    spec: type[AgentSpec] = load(f"{AGENTS[agent].folder}.spec:SPEC")
    return spec


def agent_builder(agent: str) -> AgentBuilder[AgentSpec]:
    """What builds members of an algorithm; loads torch."""
    builder: AgentBuilder[AgentSpec] = load(f"{AGENTS[agent].folder}.agent:BUILD")
    return builder
