"""Which GPUs cohorts are spread over: an option of every executor that runs several at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from harness.options import ExecutorOptions, Flag


@dataclass(frozen=True)
class DeviceOptions(ExecutorOptions):
    """The GPUs of this machine that cohorts may use."""

    devices: Annotated[
        str, Flag(("--devices",), "GPUs to spread cohorts over, by index or UUID, as 0,1.")
    ] = ""

    @property
    def gpus(self) -> tuple[str, ...]:
        """Each of `devices`; none: nothing was said."""
        names = [name.strip() for name in self.devices.split(",")]
        return tuple(name for name in names if name)
