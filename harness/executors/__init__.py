"""Executors: ways to carry out cohorts, all over the same idempotent unit. The table holds modules as text; each has the
functions of `Executor`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan


class Executor(Protocol):
    """What a module of this folder offers."""

    def choose_device(self, options: Options, need: str, suite: str) -> str:
        """The torch device of the cohorts, from what was asked for and what the suite needs. NonConforming without one."""
        ...

    def execute(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> list[str]:
        """Carry the cohorts out; returns what went wrong, in words. Raises Interrupted, with everything saved."""
        ...

    def seal(self, folder: Path, plan: Plan, started: float, options: Options) -> None:
        """Write the manifest of a plan folder where its cohorts were carried out. Raises Incomplete if that fails."""
        ...


EXECUTORS: dict[str, tuple[str, str]] = {
    "local": ("harness.executors.local", "a process for each cohort, several at a time"),
    "inline": ("harness.executors.inline", "in this process, one cohort after the other"),
    "docker": (
        "harness.executors.docker",
        "a container of --image for each cohort, several at a time, each on one of --devices",
    ),
}
"""Name -> (module, meaning)."""


def executor(name: str) -> Executor:
    """The executor of a name of the table."""
    return cast(Executor, import_module(EXECUTORS[name][0]))
