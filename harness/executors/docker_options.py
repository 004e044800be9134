"""Options of `--executor docker`. Apart from docker.py, so that `--help` does not load the SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from harness.options import ExecutorOptions, Flag


@dataclass(frozen=True)
class DockerOptions(ExecutorOptions):
    """What containers are made of."""

    image: Annotated[str, Flag(("--image",), "Image of the containers.")] = "mst-bench"
    devices: Annotated[
        str, Flag(("--devices",), "GPUs to spread cohorts over, by index or UUID, as 0,1.")
    ] = ""
    memory_gib: Annotated[
        float | None,
        Flag(
            ("--memory-gib",),
            "Memory limit of a container. Default: an equal share of what is free.",
            minimum=0.1,
        ),
    ] = None

    @property
    def gpus(self) -> tuple[str, ...]:
        """Each of `devices`; none: every container may use all GPUs."""
        names = [name.strip() for name in self.devices.split(",")]
        return tuple(name for name in names if name)
