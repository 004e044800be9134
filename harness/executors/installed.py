"""Shared by the executors that use the installed package, not an image: `inline` and `local`."""

from __future__ import annotations

from pathlib import Path

from harness.entries.manifest import write_manifest
from harness.machine import device
from harness.machine.provenance import command_line
from harness.options import ExecutorOptions, Options
from harness.planning.plan import Plan


class Installed:
    """This machine's devices, and a manifest of this installation."""

    gpus = 1

    def __init__(self, own: ExecutorOptions) -> None:
        """`own`: no options, here."""

    def choose_device(self, options: Options, need: str, suite: str) -> str:
        """The torch device of this machine."""
        return device.choose_device(options.device, need, suite)

    def seal(self, folder: Path, plan: Plan, started: float, options: Options) -> None:
        """The manifest of a plan folder: this machine, this code."""
        write_manifest(folder, plan, started, command_line())
