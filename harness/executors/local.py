"""Cohorts as processes of this machine: a fault of the simulator's native code ends one cohort, not all."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from harness.executors.installed import choose_device, seal
from harness.executors.supervise import Ending, last_words, log_of, supervise
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan

__all__ = ["choose_device", "execute", "seal"]

PARENT = "MST_BENCH_PARENT"
"""Environment variable in which a cohort's process finds the process that started it."""


def stop_with_parent() -> None:
    """In a cohort's process: be asked to stop (and so to save) when the process that started it dies, however it dies."""
    parent = os.environ.pop(PARENT, None)
    if parent is None or not sys.platform.startswith("linux"):
        return
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
    if os.getppid() != int(parent):
        os.kill(os.getpid(), signal.SIGTERM)


def execute(folder: Path, plan: Plan, cohorts: list[Cohort], options: Options) -> list[str]:
    """A process for each cohort, `options.jobs` at a time."""
    return supervise(
        folder,
        cohorts,
        options,
        lambda cohort, place, left: _Process(folder, cohort, options, left),
    )


class _Process:
    """A cohort's process, of a session of its own, so that a terminal's Ctrl-C reaches it through us alone."""

    def __init__(
        self, folder: Path, cohort: Cohort, options: Options, max_wall: float | None
    ) -> None:
        self.log = log_of(folder, cohort)
        command = [
            sys.executable,
            "-P",
            "-m",
            "harness.cli",
            "run-cohort",
            "--plan",
            str(Folder(folder).plan),
        ]
        command += ["--index", str(cohort.index), *options.arguments(max_wall)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", PARENT: str(os.getpid())}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )

    def ending(self) -> Ending | None:
        code = self.process.poll()
        if code is None:
            return None
        if code < 0:
            return Ending(
                code, f"its process was ended by {signal.Signals(-code).name}", killed=True
            )
        return Ending(code, last_words(self.log, code))

    def ask(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
