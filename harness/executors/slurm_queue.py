"""Slurm's queue, asked by its own programs: squeue, scontrol, scancel. It loads no submitit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UserError
from harness.folder import Folder
from harness.words import one_line

SECONDS = 60.0
"""How long one of Slurm's programs is waited for."""
SHORT_SECONDS = 10.0
"""The same where it only passes a signal on, or `status` asks it by the way."""

BATCH = 100
"""Jobs that one scancel is given: with thousands it takes longer than it is waited for."""
LIVE = frozenset(
    {
        "COMPLETING",
        "CONFIGURING",
        "PENDING",
        "REQUEUED",
        "REQUEUE_FED",
        "REQUEUE_HOLD",
        "RESIZING",
        "RESV_DEL_HOLD",
        "RUNNING",
        "SIGNALING",
        "SPECIAL_EXIT",
        "STAGE_OUT",
        "STOPPED",
        "SUSPENDED",
    }
)
"""States of a job that did not end."""


class NoAnswer(Exception):
    """Slurm's controller did not answer; the text says what its program said."""


class TimedOut(NoAnswer):
    """The program itself did not end in time."""


@dataclass(frozen=True)
class Job:
    """A job in the queue: of an array, one element."""

    id: str
    """As Slurm writes it for people: 12_3."""
    number: str
    """Its own number, by which it is signalled."""
    state: str
    """RUNNING, PENDING, COMPLETING and others, as squeue says."""
    reason: str
    """Why it waits."""

    @property
    def sentence(self) -> str:
        """What status shows."""
        waits = f" ({self.reason})" if self.reason not in ("", "None") else ""
        return f"Slurm's job {self.id} is {self.state.lower()}{waits}"


@dataclass(frozen=True)
class Ended:
    """How a job left the queue, as far as Slurm still knows."""

    state: str
    """COMPLETED, FAILED, TIMEOUT and others, or one of LIVE: it did not leave. Empty: Slurm does
    not remember."""
    code: int
    """Its exit code; 0 where a signal ended it."""


def job_name(plan_id: str) -> str:
    """The name of the jobs that carry a plan's cohorts out."""
    return f"mst-bench-{plan_id}"


def check_slurm() -> None:
    """UserError where Slurm's programs are not."""
    for program in ("sbatch", "squeue", "scancel", "scontrol"):
        if shutil.which(program) is None:
            raise UserError(
                f"--executor slurm: {program} is not on the path; give the command on a machine"
                " from which jobs are submitted, or leave --executor out."
            )


def queued(folder: Path, name: str, seconds: float = SECONDS) -> dict[int, Job]:
    """This user's jobs of that name whose working folder is the plan's, by the cohort's index.

    A job that runs is preferred to one that waits. Raises NoAnswer.
    """
    command = ["squeue", "--noheader", "--array", f"--user={os.getuid()}", f"--name={name}"]
    jobs = dict[int, Job]()
    for line in _ask([*command, "--format=%F|%K|%A|%T|%r|%Z"], seconds).splitlines():
        array, index, number, state, reason, workdir = line.split("|", 5)
        if not index.isdigit() or Path(workdir) != folder:
            continue
        known = jobs.get(int(index))
        if known is None or known.state != "RUNNING":
            jobs[int(index)] = Job(f"{array}_{index}", number, state, reason)
    return jobs


def waiting(job: str) -> str | None:
    """The state of a job by its id; None once it left the queue. Raises NoAnswer."""
    try:
        state = _ask(["squeue", "--noheader", f"--jobs={job}", "--format=%T"]).strip()
    except NoAnswer as error:
        if "Invalid job id" in str(error):  # it ended so long ago that Slurm forgot it
            return None
        raise
    return state or None


def ended(job: str) -> Ended:
    """How a job ended. A few minutes later Slurm has forgotten it."""
    try:
        text = _ask(["scontrol", "--oneliner", "show", "job", job])
    except NoAnswer:
        return Ended("", 0)
    state = re.search(r"\bJobState=(\w+)", text)
    code = re.search(r"\bExitCode=(\d+):(\d+)", text)
    return Ended(state[1] if state else "", int(code[1]) if code else 0)


def array_limit() -> int | None:
    """Above every index that an element of an array may have (MaxArraySize); None: not known."""
    try:
        text = _ask(["scontrol", "show", "config"])
    except NoAnswer:
        return None
    limit = re.search(r"^MaxArraySize\s*=\s*(\d+)", text, re.MULTILINE)
    return int(limit[1]) if limit else None


def save_and_end(jobs: Sequence[str]) -> set[str]:
    """Tell running jobs to save and end; returns those that were told for certain.

    Raises NoAnswer.
    """
    # scancel tells the nodes first and then the controller, and asks that again and again while a
    # job is on its way out: what it was to do is mostly done by then, and does no harm twice.
    return _cancel(["--signal=TERM"], jobs, SHORT_SECONDS)


def cancel(jobs: Sequence[str]) -> set[str]:
    """Take jobs out of the queue; those that run have some seconds to save.

    Returns those that were taken out for certain. Raises NoAnswer.
    """
    return _cancel([], jobs, SECONDS)


def states(folder: Path) -> dict[int, str]:
    """Cohort -> what a plan folder's job in Slurm's queue does, in words.

    Empty where nothing was submitted from, or no Slurm answers: status is no command of Slurm's.
    """
    if not Folder(folder).slurm.is_dir() or shutil.which("squeue") is None:
        return {}
    try:
        jobs = queued(folder.resolve(), job_name(folder.resolve().name), SHORT_SECONDS)
    except NoAnswer:
        return {}
    return {index: job.sentence for index, job in jobs.items()}


def _cancel(words: list[str], jobs: Sequence[str], seconds: float) -> set[str]:
    """scancel; that a job ended by itself meanwhile is no error. Returns what it was done with."""
    done = set[str]()
    for first in range(0, len(jobs), BATCH):
        batch = jobs[first : first + BATCH]
        with suppress(TimedOut):  # the others are not to wait for one that does not go
            _ask(["scancel", "--quiet", *words, *batch], seconds)
            done.update(batch)
    return done


def _ask(command: list[str], seconds: float = SECONDS) -> str:
    """What one of Slurm's programs prints. Raises NoAnswer."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise TimedOut(f"{command[0]} gave no answer for {seconds:.0f} s") from None
    except OSError as error:
        raise NoAnswer(f"{command[0]}: {error.strerror}") from None
    if done.returncode != 0:
        raise NoAnswer(one_line(done.stderr.strip() or f"{command[0]} failed"))
    return done.stdout
