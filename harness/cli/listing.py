"""The rows of `mst-bench list`: every table of names, with a line of meaning each."""

from __future__ import annotations

from agents.catalog import AGENTS
from agents.members.blocks import BLOCKS
from agents.sparsity.regime import REGIMES, TRIPLES
from envs.tasks import TASKS
from harness.executors import EXECUTORS
from harness.planning.reader import load
from harness.planning.regimes import all_modules
from harness.suites import shipped


def rows(what: str) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of one table."""
    if what == "suites":
        suites = [load(name).suite for name in shipped()]
        return ["suite", "runs", "meaning"], [
            [s.suite, str(len(s.tasks) * len(s.regimes) * s.seeds), s.description] for s in suites
        ]
    if what == "tasks":
        headers = ["task", "observation", "action", "differs from dm_control"]
        return headers, [
            [t.name, str(t.observation_size), str(t.action), t.differs] for t in TASKS.values()
        ]
    if what == "regimes":
        modules = all_modules()
        return ["regime", *modules, "meaning"], [
            [name, *regime.of(modules).values(), regime.meaning] for name, regime in REGIMES.items()
        ]
    if what == "triples":
        headers = ["triple", "how much", "when", "meaning"]
        return headers, [
            [name, t.distribution, t.schedule, t.meaning] for name, t in TRIPLES.items()
        ]
    if what == "blocks":
        return ["block", "meaning"], [[name, block.meaning] for name, block in BLOCKS.items()]
    meanings = (
        {name: agent.meaning for name, agent in AGENTS.items()}
        if what == "agents"
        else _executors()
    )
    return [what[:-1], "meaning"], [[name, meaning] for name, meaning in meanings.items()]


def _executors() -> dict[str, str]:
    return {name: row.meaning for name, row in EXECUTORS.items()}
