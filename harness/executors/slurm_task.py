"""What runs in a Slurm job: the command of one cohort, its signals, and a new place in the queue.

    python -m harness.executors.slurm_task PLAN RETRIES COMMAND...

The array's index is the cohort's. A job that Slurm warned (SIGUSR2: its time is almost over, or
another one needs its place) saves and asks for a new place in the queue; one that is told to end
(SIGTERM) saves and ends. A job that was killed, or that had no time to learn anything, is a fault
of the cohort: after more than RETRIES of them it gives up, wherever the program that submitted it
is by then.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from harness.errors import (
    INCOMPLETE,
    INTERRUPTED,
    RESUME,
    Incomplete,
    Interrupted,
    RetriesExhausted,
    UserError,
)
from harness.executors.child import child_environment
from harness.folder import Folder
from harness.planning.cohorts import Cohort, read_cohorts
from harness.training import faults
from harness.training.ending import recorded
from harness.training.progress import read_progress
from harness.words import say

REQUEUE_SECONDS = 60.0
"""How long an answer of Slurm's controller is waited for."""
ENDED_BY_SIGNAL = 128
"""Exit code of a shell for what a signal ended: this, and the signal's number."""


class Task:
    """One stay of a cohort's job on a node."""

    def __init__(self, folder: Path, cohort: Cohort, retries: int) -> None:
        self.folder = folder
        self.cohort = cohort
        self.paths = Folder(folder).cohort(cohort.index)
        self.retries = retries
        self.job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
        self.warned = False
        """Whether Slurm said that this stay is almost over."""
        self._told = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, command: list[str]) -> int:
        """Carry the cohort out as far as this stay goes; returns the exit code of the job."""
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, self._heed)

        # An attempt that ended by itself left its ending.
        restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        if restarts and not self.paths.ending.exists():
            reason = self._fault("was killed, and Slurm began it anew")
            if reason is not None:
                return self._give_up(reason)

        before = self._checkpoints()
        code = self._carry_out(command)
        stopped = code == INTERRUPTED or code >= ENDED_BY_SIGNAL
        if self._told and stopped:
            self._leave_ending()
        if not self.warned or not stopped:
            return code

        # Whoever got nowhere would do so again.
        if self._checkpoints() == before:
            reason = self._fault("was over before there was anything new to save")
            if reason is not None:
                return self._give_up(reason)
        self._requeue()
        return code

    def _heed(self, number: int, frame: object) -> None:
        self._told = True
        self.warned |= number == signal.SIGUSR2
        self._pass_on()

    def _pass_on(self) -> None:
        if self._process is not None and self._told:
            self._process.send_signal(signal.SIGTERM)

    def _carry_out(self, command: list[str]) -> int:
        """The exit code of `run-cohort`, as a shell tells it."""
        self._process = subprocess.Popen(
            [*command, "--index", str(self.cohort.index)],
            stdin=subprocess.DEVNULL,
            env=child_environment(),
            # Slurm may warn every process of the job: this one passes it on.
            preexec_fn=lambda: signal.signal(signal.SIGUSR2, signal.SIG_IGN),
        )
        self._pass_on()  # what came before there was a process
        code = self._process.wait()
        return code if code >= 0 else ENDED_BY_SIGNAL - code

    def _checkpoints(self) -> set[str]:
        """Names of the checkpoints that are there: a new one has a new name."""
        return {path.name for path in self.paths.checkpoint.glob("*.json")}

    def _fault(self, words: str) -> str | None:
        """Record a fault of this job; returns the reason once there were too many, else None."""
        beginning = f"Slurm's job {self.job} "
        reason = beginning + words
        progress = read_progress(self.folder, self.cohort.index)
        faults.record(self.folder, self.cohort, progress.step if progress else 0, reason)
        say(reason)

        recorded_faults = faults.faults(self.folder, self.cohort)
        count = sum(fault.reason.startswith(beginning) for fault in recorded_faults)
        return reason if count > self.retries else None

    def _leave_ending(self) -> None:
        """That of a cohort which was told to end before it could write its own: it was not killed,
        whatever comes next in this job."""
        if not self.paths.ending.exists():
            with suppress(Interrupted, Incomplete), recorded(self.paths):
                raise Interrupted("stopped before it began.", RESUME)

    def _give_up(self, reason: str) -> int:
        """End the cohort as one whose retries are exhausted, for everybody to read."""
        sentence = f"{reason}; {faults.gave_up(self.retries)}. What was saved is whole."
        # Also if somebody else has the cohort by now: then its ending is his to tell.
        with suppress(Incomplete), recorded(self.paths):
            raise RetriesExhausted(sentence, RESUME)
        say(sentence)
        return INCOMPLETE

    def _requeue(self) -> None:
        """Ask Slurm for a new place; without one, the program that submitted the job begins it
        anew."""
        with suppress(subprocess.SubprocessError):
            subprocess.run(
                ["scontrol", "requeue", os.environ["SLURM_JOB_ID"]],
                check=True,
                timeout=REQUEUE_SECONDS,
            )


def main() -> None:
    """Ends this process with the exit code of the job."""
    plan, retries, *command = sys.argv[1:]
    folder = Path(plan).parent
    index = int(os.environ["SLURM_ARRAY_TASK_ID"])
    try:
        cohorts = read_cohorts(folder)
        if cohorts is None or index >= len(cohorts.cohorts):
            raise UserError(f"{Folder(folder).cohorts}: holds no cohort {index}.")
        code = Task(folder, cohorts.cohorts[index], int(retries)).run(command)
    except UserError as error:
        say(str(error))
        code = error.code
    sys.exit(code)


if __name__ == "__main__":
    main()
