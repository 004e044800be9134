"""What executors share that carry cohorts out with this very installation."""

from __future__ import annotations

from pathlib import Path

from harness.entries.manifest import write_manifest
from harness.machine import device
from harness.machine.provenance import command_line
from harness.options import Options
from harness.planning.plan import Plan


def choose_device(options: Options, need: str, suite: str) -> str:
    """The torch device of this machine."""
    return device.choose_device(options.device, need, suite)


def seal(folder: Path, plan: Plan, started: float, options: Options) -> None:
    """The manifest of a plan folder: this machine, this code."""
    write_manifest(folder, plan, started, command_line())
