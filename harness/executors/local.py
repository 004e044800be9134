"""Cohorts as processes of this machine: a fault of native code ends one cohort, not all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from harness.executors import Executor
from harness.executors.child import child_environment
from harness.executors.device_options import DeviceOptions
from harness.executors.installed import Installed
from harness.executors.supervise import supervise
from harness.files import no_link
from harness.folder import Folder
from harness.machine import device
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.training.ending import Ending, ending, ending_of_process


class Local(Installed, Executor):
    """`--executor local`."""

    def __init__(self, own: DeviceOptions) -> None:
        self.own = own

    @property
    def gpus(self) -> int:
        """As many as were named; else 1."""
        return max(1, len(self.own.gpus))

    def choose_device(self, options: Options, need: str, suite: str) -> str:
        """The torch device of the cohorts. With `--devices`, each sees one GPU and no other."""
        if not self.own.gpus:
            return super().choose_device(options, need, suite)
        if options.device not in ("auto", "cuda"):
            raise UserError(
                f"--device {options.device}: --devices names the GPUs; leave --device out."
            )
        device.check_indices(self.own.gpus)
        return "cuda"

    def execute(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> list[UserError]:
        """A process for each cohort, `options.jobs` at a time."""

        jobs = options.jobs or 1
        gpus = self.own.gpus

        def start(cohort: Cohort, slot: int, options: Options) -> _Process:
            if not gpus:
                return _Process(folder, cohort, options, None)
            share = Share(visible(gpus[slot % len(gpus)]), cores_of(slot, jobs))
            return _Process(folder, cohort, options, share)

        return supervise(folder, cohorts, options, start)


@dataclass(frozen=True)
class Share:
    """What a cohort gets of a machine with several GPUs."""

    gpu: str
    """As CUDA_VISIBLE_DEVICES names it."""
    cores: frozenset[int]
    """CPUs: as many threads simulate its environments."""


def visible(gpu: str) -> str:
    """What a process that is to see this GPU alone finds in CUDA_VISIBLE_DEVICES.

    A scheduler may have hidden others from this process: then indices count those that are left.
    """
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if not shown or not gpu.isdigit():
        return gpu
    return shown.split(",")[int(gpu)].strip()


def cores_of(slot: int, jobs: int) -> frozenset[int]:
    """The CPUs of one of so many processes: equal shares of neighbours, at least one CPU each."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < jobs:
        return frozenset([cores[slot % len(cores)]])
    return frozenset(cores[slot * len(cores) // jobs : (slot + 1) * len(cores) // jobs])


class _Process:
    """A cohort's process.

    It has a session of its own, so that a terminal's Ctrl-C reaches it through us alone.
    """

    def __init__(self, folder: Path, cohort: Cohort, options: Options, share: Share | None) -> None:
        """`share`: None for all of the machine."""
        self.cohort = Folder(folder).cohort(cohort.index)
        command = [sys.executable, "-P", "-m", "harness.cli", "run-cohort"]
        command += ["--plan", str(Folder(folder).plan), "--index", str(cohort.index)]
        command += options.arguments()

        environment = child_environment()
        if share is not None:
            environment["CUDA_VISIBLE_DEVICES"] = share.gpu
        with open(self.cohort.log, "ab", opener=no_link) as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        # Threads inherit it, and at this moment the process has none.
        if share is not None:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(self.process.pid, share.cores)

    def ending(self) -> Ending | None:
        code = self.process.poll()
        if code is None:
            return None
        if code < 0:
            name = signal.Signals(-code).name
            return ending(code, "killed", f"its process was ended by {name}.")
        return ending_of_process(self.cohort, code)

    def ask(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()

    def join(self) -> None:
        self.process.wait()
