"""Options of `--executor ray`. Apart from ray.py, so that `--help` does not load Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from harness.options import ExecutorOptions, Flag


@dataclass(frozen=True)
class RayOptions(ExecutorOptions):
    """Where the cluster is."""

    ray_address: Annotated[
        str,
        Flag(
            ("--ray-address",),
            "HOST:PORT of the cluster. Default: RAY_ADDRESS, or else the one of this machine.",
        ),
    ] = ""
