"""The rows of `mst-bench list`: every table of names, with a line of meaning each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from agents.catalog import AGENTS
from agents.members.blocks import BLOCKS
from agents.sparsity.regime import REGIMES, TRIPLES
from envs.tasks import TASKS
from harness.claims import registry
from harness.claims.words import in_words, rows_of
from harness.executors import EXECUTORS
from harness.planning.finding import seeds_in_words
from harness.planning.reader import load
from harness.planning.regimes import all_modules
from harness.suites import shipped

Table = tuple[list[str], list[list[str]]]
"""Headers and rows."""


class Meant(Protocol):
    """A row of a table of names."""

    @property
    def meaning(self) -> str: ...


def rows(table: str) -> Table:
    """Headers and rows of one table, by its plural name."""
    return LISTS[table]()


def _suites() -> Table:
    table = []
    for name in shipped():
        suite = load(name).suite
        runs = len(suite.tasks) * len(suite.regimes) * suite.seeds
        table.append([suite.suite, str(runs), suite.description])
    return ["suite", "runs", "meaning"], table


def _tasks() -> Table:
    table = []
    for task in TASKS.values():
        table.append([task.name, str(task.observation_size), str(task.action), task.differs])
    return ["task", "observation", "action", "differs from dm_control"], table


def _regimes() -> Table:
    modules = all_modules()
    table = []
    for name, regime in REGIMES.items():
        blocks = ", ".join(regime.blocks.values()) or "the suite's"
        table.append([name, *regime.of(modules).values(), blocks, regime.meaning])
    return ["regime", *modules, "blocks", "meaning"], table


def _triples() -> Table:
    table = []
    for name, triple in TRIPLES.items():
        table.append([name, triple.distribution, triple.schedule, triple.meaning])
    return ["triple", "how much", "when", "meaning"], table


def _meanings(title: str, names: Mapping[str, Meant]) -> Table:
    """A table of names that have nothing to show but their meaning."""
    return [title, "meaning"], [[name, row.meaning] for name, row in names.items()]


def _claims() -> Table:
    table = []
    for claim, registered in registry().items():
        for row in rows_of(claim, registered):
            suites = ", ".join(row.part.suites) if row.part else ""
            tests = in_words(row.tests) if row.part else ""
            seeds = seeds_in_words(row) if row.part else ""
            cells = [row.id, row.statement, row.source, suites, tests, seeds, row.otherwise]
            table.append(cells)
    headers = ["claim", "statement", "source", "suites", "tests", "seeds for 80 %", "otherwise"]
    return headers, table


LISTS: dict[str, Callable[[], Table]] = {
    "suites": _suites,
    "claims": _claims,
    "tasks": _tasks,
    "regimes": _regimes,
    "triples": _triples,
    "blocks": lambda: _meanings("block", BLOCKS),
    "agents": lambda: _meanings("agent", AGENTS),
    "executors": lambda: _meanings("executor", EXECUTORS),
}
"""What can be listed -> its table."""
