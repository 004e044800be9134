"""Which torch device cohorts run on, and what to say where there is none."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import NonConforming, UserError

DRIVER = Path("/proc/driver/nvidia/version")
"""Where the NVIDIA driver of this machine says its version, in containers too."""
DRIVER_NEEDED = 580
"""Of CUDA 13, for which torch is built here."""


def choose_device(wanted: str, need: str, suite: str) -> str:
    """The torch device: `auto` takes a GPU where there is one; NonConforming if what is needed is not there."""
    check_name(wanted)
    if wanted == "cpu":
        return "cpu"
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted.startswith("cuda:") and 0 < count <= int(wanted.removeprefix("cuda:")):
        raise NonConforming(
            f"--device {wanted}: {count} CUDA devices are visible, cuda:0 to cuda:{count - 1}."
        )
    if count:
        return "cuda" if wanted == "auto" else wanted
    if wanted == "auto" and need == "any":
        return "cpu"
    asked = f"suite {suite} needs" if wanted == "auto" else f"--device {wanted} asks for"
    instead = "to run on the CPU all the same, add `--device cpu` (slow: `mst-bench plan` tells how slow)."
    version = driver_version()
    if version is not None and int(version.partition(".")[0]) < DRIVER_NEEDED:
        raise NonConforming(
            f"{asked} a CUDA device, and the NVIDIA driver here is {version}: CUDA 13 needs {DRIVER_NEEDED} or newer."
            f" Update the driver; {instead}"
        )
    raise NonConforming(
        f"{asked} a CUDA device, and none is visible. In a container add `--gpus all`; {instead}"
    )


def check_name(wanted: str) -> None:
    """UserError unless `wanted` is a device's name."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", wanted):
        raise UserError(f"--device {wanted}: expected auto, cpu, cuda or cuda:<index>.")


def driver_version() -> str | None:
    """The NVIDIA driver's version, such as 580.95.05; None where there is none."""
    text = DRIVER.read_text(encoding="utf-8", errors="replace") if DRIVER.exists() else ""
    found = re.search(r"Kernel Module\b.*?\s(\d+\.\d+(\.\d+)?)\s", text)
    return found and found[1]
