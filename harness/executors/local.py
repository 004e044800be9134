"""Cohorts as processes of this machine: a fault of native code ends one cohort, not all."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from harness.errors import UserError
from harness.executors import Executor
from harness.executors.installed import Installed
from harness.executors.supervise import supervise
from harness.files import no_link
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.training.ending import Ending, ending, ending_of_process

PARENT = "MST_BENCH_PARENT"
"""Environment variable in which a cohort's process finds the process that started it."""
PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when its parent dies."""


class Local(Installed, Executor):
    """`--executor local`."""

    def execute(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> list[UserError]:
        """A process for each cohort, `options.jobs` at a time."""

        def start(cohort: Cohort, slot: int, options: Options) -> _Process:
            return _Process(folder, cohort, options)

        return supervise(folder, cohorts, options, start)


def stop_with_parent() -> None:
    """In a cohort's process: save and stop when the process that started it dies, in any way."""
    parent = os.environ.pop(PARENT, None)
    if parent is None or not sys.platform.startswith("linux"):
        return

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def _environment() -> dict[str, str]:
    """This process's environment, but for every variable of ours.

    A cohort runs the agent's code, and has no use for the key and the passphrase of its entry; its
    options are its arguments.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("MST_BENCH_")
    }
    return {**inherited, "OMP_NUM_THREADS": "1", PARENT: str(os.getpid())}


class _Process:
    """A cohort's process.

    It has a session of its own, so that a terminal's Ctrl-C reaches it through us alone.
    """

    def __init__(self, folder: Path, cohort: Cohort, options: Options) -> None:
        self.cohort = Folder(folder).cohort(cohort.index)
        command = [sys.executable, "-P", "-m", "harness.cli", "run-cohort"]
        command += ["--plan", str(Folder(folder).plan), "--index", str(cohort.index)]
        command += options.arguments()

        with open(self.cohort.log, "ab", opener=no_link) as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )

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
        self.process.wait()
