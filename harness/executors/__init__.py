"""Executors: ways to carry out cohorts, all over the same idempotent unit (training/unit.py).

The table stores classes as `module:name` strings, so importing it loads no executor; a class is
called with its own options (`Row.options`) and offers the methods of `Executor`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.errors import UserError, suggestion
from harness.executors.device_options import DeviceOptions
from harness.executors.docker_options import DockerOptions
from harness.executors.ray_options import RayOptions
from harness.executors.slurm_options import SlurmOptions
from harness.options import ExecutorOptions, options_of

if TYPE_CHECKING:
    from pathlib import Path

    from harness.options import Options
    from harness.planning.cohorts import Cohort
    from harness.planning.plan import Plan


class Executor(Protocol):
    """A way to carry out cohorts."""

    @property
    def gpus(self) -> int:
        """GPUs that cohorts are spread over: as many run at a time there, if not told otherwise."""
        ...

    @property
    def elsewhere(self) -> bool:
        """Whether a scheduler chooses the machines: then this one's memory and CPUs say nothing."""
        return False

    @property
    def one_by_one(self) -> bool:
        """Whether it carries out one cohort after the other, whatever --jobs says."""
        return False

    def choose_device(self, options: Options, need: str, suite: str) -> str:
        """The torch device of the cohorts, from `options` and what the suite needs.

        Raises NonConforming without one.
        """
        ...

    def image_content(self) -> str | None:
        """Digest of the content of the image that cohorts run in; None if they run in none.

        Raises NonConforming if there is no such image.
        """
        ...

    def check(self, folder: Path, cohorts: list[Cohort], options: Options) -> None:
        """Raise NonConforming for what no attempt could get over, before anything is begun.

        What is not known here is nothing: an attempt then finds out.
        """

    def preview(self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options) -> str:
        """What `--dry-run` prints, of executors that take it. Nothing is written."""
        raise UserError("--dry-run: this executor hands no script to anybody.")

    def execute(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> list[UserError]:
        """Carry the cohorts out; returns an error for each that has no results.

        An Incomplete is one that the same command resumes. Raises Interrupted, which says what is
        saved.
        """
        ...

    def seal(self, folder: Path, plan: Plan, started: float, options: Options) -> None:
        """Write the manifest of a plan folder where its cohorts were carried out.

        Raises Incomplete if that fails.
        """
        ...


@dataclass(frozen=True)
class Row:
    """An executor, before it is loaded."""

    path: str
    """Its class, as `module:name`."""
    meaning: str
    options: type[ExecutorOptions] = ExecutorOptions
    """The group of its own options. Two executors share one only where it means the same."""


EXECUTORS = {
    "local": Row(
        "harness.executors.local:Local",
        "a process for each cohort, several at a time, each on one of --devices",
        DeviceOptions,
    ),
    "inline": Row("harness.executors.inline:Inline", "in this process, one cohort after the other"),
    "docker": Row(
        "harness.executors.docker:Docker",
        "a container of --image for each cohort, several at a time, each on one of --devices",
        DockerOptions,
    ),
    "ray": Row(
        "harness.executors.ray:Ray",
        "a task of a Ray cluster for each cohort; its nodes share no folder",
        RayOptions,
    ),
    "slurm": Row(
        "harness.executors.slurm:Slurm",
        "a job of Slurm for each cohort, as an array; at its time limit it saves and queues again",
        SlurmOptions,
    ),
}
"""Name -> executor."""


def executor(name: str, own: Mapping[str, object]) -> Executor:
    """The executor of that name, with values for its own options, by field.

    Raises UserError for an unknown name, and for an option that this executor does not take.
    """
    if name not in EXECUTORS:
        raise UserError(f"--executor {name}: unknown executor.{suggestion(name, EXECUTORS)}")
    row = EXECUTORS[name]
    for field in own:
        _check_taken(name, field)

    from agents.lazy import load  # here: the light install, which only verifies, has no agents

    executor_class: Callable[[ExecutorOptions], Executor] = load(row.path)
    return executor_class(row.options(**own))


def _check_taken(name: str, field: str) -> None:
    """UserError unless the executor takes the option; the sentence names those that it takes."""
    flags = {option.field: option.flag.names[-1] for option in options_of(EXECUTORS[name].options)}
    if field in flags:
        return

    # Who takes it instead: most often the executor was forgotten, not the option misspelled.
    takers = [
        f"--executor {taker}"
        for taker, row in EXECUTORS.items()
        if field in [option.field for option in options_of(row.options)]
    ]
    own = f"its own are {', '.join(flags.values())}" if flags else "it has none of its own"
    does = "does" if len(takers) == 1 else "do"
    owner = f"; {' and '.join(takers)} {does}" if takers else ""
    flag = f"--{field.replace('_', '-')}"
    raise UserError(f"{flag}: --executor {name} does not take this option, {own}{owner}.")
