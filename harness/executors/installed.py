"""Shared by the executors that use the installed package, not an image: `inline` and `local`."""

from __future__ import annotations

from pathlib import Path

from harness.entries.manifest import write_manifest
from harness.folder import Folder
from harness.machine import device, image, provenance
from harness.options import ExecutorOptions, Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.training.checkpoint import check_identity


class Installed:
    """This machine's devices, and a manifest of this installation."""

    def __init__(self, own: ExecutorOptions) -> None:
        """`own`: no options, here."""

    @property
    def gpus(self) -> int:
        """One, if there is one."""
        return 1

    def choose_device(self, options: Options, need: str, suite: str) -> str:
        """The torch device of this machine."""
        return device.choose_device(options.device, need, suite)

    def image_content(self) -> str | None:
        """Digest of the content of the image that this process runs in."""
        return image.content_sha256()

    def check(self, folder: Path, cohorts: list[Cohort], options: Options) -> None:
        """NonConforming if other code or libraries wrote a checkpoint, unless that is allowed."""
        if options.allow_drift:
            return
        identity = provenance.identity()
        for cohort in cohorts:
            check_identity(Folder(folder).cohort(cohort.index).checkpoint, identity)

    def seal(self, folder: Path, plan: Plan, started: float, options: Options) -> None:
        """The manifest of a plan folder: this machine, this code."""
        write_manifest(folder, plan, started, provenance.command_line())
