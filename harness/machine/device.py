"""Which torch device cohorts run on, and the error message where there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness.errors import NonConforming, UserError

DRIVER = Path("/proc/driver/nvidia/version")
"""The file in which the NVIDIA driver states its version, in containers too."""
DRIVER_NEEDED = 580
"""The driver version that CUDA 13 needs, for which torch is built here."""


def choose_device(name: str, need: str, suite: str) -> str:
    """The torch device for `--device name`; `auto` takes a GPU if there is one.

    `need` is the device that the suite requires, `any` or `cuda`. Raises NonConforming if the
    device is not available.
    """
    check_name(name)
    if name == "cpu":
        return "cpu"
    import torch

    # A GPU, if there is one; one with a number must exist.
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name.startswith("cuda:") and 0 < count <= int(name.removeprefix("cuda:")):
        raise NonConforming(
            f"--device {name}: {count} CUDA devices are visible, cuda:0 to cuda:{count - 1}."
        )
    if count:
        return "cuda" if name == "auto" else name

    # Without a GPU the CPU is good enough, unless the user or the suite insists.
    if name == "auto" and need == "any":
        return "cpu"
    raise NonConforming(_why_no_gpu(name, suite))


def _why_no_gpu(name: str, suite: str) -> str:
    """What needs a GPU, why there is none, and what to do."""
    demand = f"suite {suite} needs" if name == "auto" else f"--device {name} asks for"
    instead = (
        "to run on the CPU all the same, add `--device cpu`"
        " (slow: `mst-bench plan` tells how slow)."
    )

    # A driver that is too old makes torch see no GPU at all.
    version = driver_version()
    if version is not None and int(version.partition(".")[0]) < DRIVER_NEEDED:
        return (
            f"{demand} a CUDA device, and the NVIDIA driver here is {version}:"
            f" CUDA 13 needs {DRIVER_NEEDED} or newer. Update the driver; {instead}"
        )
    return (
        f"{demand} a CUDA device, and none is visible. In a container add `--gpus all`; {instead}"
    )


def check_indices(names: Sequence[str]) -> None:
    """NonConforming unless every one of `--devices` that is an index is one of a visible GPU."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise NonConforming(_why_no_gpu("cuda", ""))
    for name in names:
        if name.isdigit() and int(name) >= count:
            raise NonConforming(
                f"--devices {name}: {count} CUDA devices are visible, 0 to {count - 1}."
            )


def check_name(name: str) -> None:
    """UserError unless `name` is a device's name."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UserError(f"--device {name}: expected auto, cpu, cuda or cuda:<index>.")


def check_without_index(name: str, chooses: str) -> None:
    """UserError for a device that is named by its index, where this process does not choose it.

    `chooses`: who does, and what to say instead.
    """
    check_name(name)
    if ":" in name:
        raise UserError(f"--device {name}: {chooses}")


def driver_version() -> str | None:
    """The NVIDIA driver's version, such as 580.95.05; None if there is no driver."""
    if not DRIVER.exists():
        return None
    text = DRIVER.read_text(encoding="utf-8", errors="replace")
    match = re.search(r"Kernel Module\b.*?\s(\d+\.\d+(\.\d+)?)\s", text)
    return match and match[1]
