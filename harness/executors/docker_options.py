"""Options of `--executor docker`. Apart from docker.py, so that `--help` does not load the SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from harness.executors.device_options import DeviceOptions
from harness.options import Flag


@dataclass(frozen=True)
class DockerOptions(DeviceOptions):
    """What containers are made of."""

    image: Annotated[str, Flag(("--image",), "Image of the containers.")] = "mst-bench"
    memory_gib: Annotated[
        float | None,
        Flag(
            ("--memory-gib",),
            "Memory limit of a container. Default: an equal share of what is free.",
            minimum=0.1,
        ),
    ] = None
