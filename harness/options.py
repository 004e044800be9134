"""Options of carrying cohorts out. Each is told once: its field has flag, help, limit, default.

`run` and `run-cohort` are derived from these fields (harness/cli/options.py), and so is the command
line that an executor hands on (`Options.arguments`). An executor's own options are a group beside
it, as in harness/executors/docker_options.py. This module loads neither numpy nor typer.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, get_args, get_type_hints

LONGEST_LEASE = 3600.0
"""Most seconds of silence that a lease may allow."""


@dataclass(frozen=True)
class Flag:
    """How a field is spelled and explained on the command line."""

    names: tuple[str, ...]
    help: str
    minimum: float | None = None
    """Smallest value that is taken."""
    maximum: float | None = None
    """Largest one."""
    of_cohort: bool = True
    """Whether `run-cohort` takes it too; False for what only concerns several cohorts."""


@dataclass(frozen=True)
class Options:
    """How cohorts are carried out; none of it changes a number."""

    device: Annotated[str, Flag(("--device",), "auto, cpu, cuda or cuda:<index>.")] = "auto"
    jobs: Annotated[
        int | None,
        Flag(
            ("-j", "--jobs"),
            "Cohorts at a time. Default: one a CPU.",
            minimum=1,
            of_cohort=False,
        ),
    ] = None
    checkpoint_seconds: Annotated[
        float | None,
        Flag(
            ("--checkpoint-seconds",),
            "Seconds between checkpoints. Default: 300, on a GPU 900.",
            minimum=0.0,
        ),
    ] = None
    max_wall: Annotated[
        float | None,
        Flag(
            ("--max-wall",),
            "Save and stop after this many seconds: exit 3. Saving comes on top.",
            minimum=0.0,
        ),
    ] = None
    allow_drift: Annotated[
        bool, Flag(("--allow-drift",), "Resume although code or libraries changed. Unranked.")
    ] = False
    retries: Annotated[
        int, Flag(("--retries",), "Restarts of a cohort after infrastructure faults.", minimum=0)
    ] = 3
    watchdog_seconds: Annotated[
        float,
        Flag(
            ("--watchdog-seconds",),
            "Silence after which the environments count as hung.",
            minimum=1.0,
        ),
    ] = 120.0
    lease_seconds: Annotated[
        float,
        Flag(
            ("--lease-seconds",),
            "Silence after which another machine may take a cohort over.",
            minimum=0.1,
            maximum=LONGEST_LEASE,
        ),
    ] = 60.0
    deterministic: Annotated[
        bool, Flag(("--deterministic",), "On a GPU: the same bits each time, slower.")
    ] = False
    eager: Annotated[
        bool, Flag(("--eager",), "On a GPU: no captured steps (CUDA graphs), slower.")
    ] = False
    profile: Annotated[
        bool, Flag(("--profile",), "Trace some agent steps: cohorts/<i>/trace.json.")
    ] = False

    def wall_left(self, begin: float) -> float | None:
        """Seconds of `max_wall` left since `begin` (of time.monotonic); None without a limit."""
        if self.max_wall is None:
            return None
        return max(0.0, self.max_wall - (time.monotonic() - begin))

    def arguments(self) -> list[str]:
        """The arguments of `run-cohort` that say the same."""
        arguments: list[str] = []
        for option in options_of(Options):
            value = getattr(self, option.field)
            if not option.flag.of_cohort or value is None or value is False:
                continue

            arguments.append(option.flag.names[-1])
            if value is not True:
                arguments.append(str(value))
        return arguments


@dataclass(frozen=True)
class ExecutorOptions:
    """Options that not every executor takes."""


@dataclass(frozen=True)
class Option:
    """A field of `Options` or of an executor's group, with its flag."""

    field: str
    annotation: type | UnionType
    """Without the flag: `float`, `int | None`."""
    default: object
    flag: Flag


def options_of(group: type[Options] | type[ExecutorOptions]) -> list[Option]:
    """The options of a group, in the order of its fields."""
    hints = get_type_hints(group, include_extras=True)
    options = []
    for field in dataclasses.fields(group):
        annotation, flag = get_args(hints[field.name])
        options.append(Option(field.name, annotation, field.default, flag))
    return options
