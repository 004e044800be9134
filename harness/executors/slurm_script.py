"""Scripts for sbatch, written and submitted by submitit.

Nothing is pickled: a job runs a command, which stands in its script. This module loads submitit;
slurm.py says what to do where it is not installed.
"""

from __future__ import annotations

import io
import math
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path

from submitit import SlurmExecutor
from submitit.core.utils import FailedJobError

from harness.errors import RESUME, Incomplete, UserError
from harness.executors.child import PREFIX
from harness.executors.slurm_options import SlurmOptions
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.planning.estimate import JOB_CORES, estimate, memory_limit_mib
from harness.planning.plan import Plan

WALL_FACTOR = 2.0
WALL_MINUTES = 15
"""A job asks for the estimated time times the factor, and this on top: the estimate is good to a
factor of two."""
WARNING_SECONDS = 120
"""How long before its time limit a job is warned, to save and wait in the queue again."""
UNREACHABLE = re.compile(r"contact slurm controller|timed? ?out|temporarily|connect", re.IGNORECASE)
"""What sbatch says of a controller that does not answer now, and may later."""

OURS = {
    "array": "-a",
    "chdir": "-D",
    "clusters": "-M",
    "job_name": "-J",
}
"""Options of sbatch that `--sbatch` cannot give, with their short form: jobs are found again by
them."""
OUR_VARIABLES = ("SBATCH_ARRAY_INX", "SBATCH_CLUSTERS", "SBATCH_JOB_NAME")
"""Environment variables that say the same to sbatch, and win over a script."""


@dataclass(frozen=True)
class Needs:
    """What each job of an array asks for."""

    memory_mib: int
    minutes: int | None
    """None: not known, as on a GPU. The partition then decides."""
    cores: int
    gpus: int

    @classmethod
    def of(cls, plan: Plan, cohorts: list[Cohort], device: str) -> Needs:
        """Those of the largest cohort: an array has one size."""
        estimates = [estimate(plan, [cohort]) for cohort in cohorts]
        gib = max((each.memory_gib for each in estimates), default=1.0)
        hours = max((each.core_hours for each in estimates), default=0.0)

        device_class = device.partition(":")[0]
        on_gpu = device_class == "cuda"
        minutes = WALL_MINUTES + math.ceil(WALL_FACTOR * hours * 60.0)
        return cls(
            memory_mib=memory_limit_mib(gib),
            minutes=None if on_gpu else minutes,
            cores=JOB_CORES[device_class],
            gpus=1 if on_gpu else 0,
        )


class Scripts(SlurmExecutor):
    """The scripts of one plan folder."""

    def __init__(self, folder: Path, name: str, own: SlurmOptions, needs: Needs) -> None:
        super().__init__(folder=Folder(folder).slurm)
        self.plan_folder = folder
        self.name_of_jobs = name
        self.own = own
        self.needs = needs

    @classmethod
    def affinity(cls) -> int:
        """A script can be written where no Slurm is."""
        return 2

    def array(self, indices: list[int], at_a_time: int, command: list[str]) -> str:
        """The script of an array of cohorts; its indices are theirs."""
        listed = ",".join(map(str, indices))
        array = f"{listed}%{at_a_time}" if at_a_time < len(indices) else listed
        log = Folder(self.plan_folder).path / "cohorts" / "%a" / "log.txt"
        return self._script(self.name_of_jobs, log, command, {"array": array, "requeue": True})

    def single(self, name: str, log: Path, command: list[str]) -> str:
        """The script of one job."""
        return self._script(name, log, command, {})

    def submit_script(self, text: str) -> str:
        """The id of the job, or of the array.

        Raises UserError in Slurm's words; Incomplete where it does not answer.
        """
        self._text = text
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with redirect_stderr(io.StringIO()), _without_our_variables():
                job: str = self._submit_command(command="").job_id
        except FailedJobError as error:
            words = _words_of_sbatch(str(error))
            sentence = f"--executor slurm: sbatch says: {words}."
            if UNREACHABLE.search(words):
                raise Incomplete(sentence, RESUME) from None
            raise UserError(sentence) from None
        with suppress(OSError):  # it was submitted, whatever becomes of the link to the script
            for link in self.folder.glob(".submission_file_*"):
                link.unlink()
        return job

    def _make_submission_file_text(self, command: str, uid: str) -> str:
        return self._text

    def _script(self, name: str, log: Path, command: list[str], special: dict[str, object]) -> str:
        """The text of a script; what `--sbatch` says wins."""
        # Slurm replaces what follows a percent sign, but for the cohort's index in `log`.
        folder = str(self.plan_folder).replace("%", "%%")
        output = folder + str(log).removeprefix(str(self.plan_folder))
        chosen: dict[str, object] = {
            "chdir": str(self.plan_folder),
            "output": output,
            "nodes": 1,
            "ntasks": 1,
            **special,
            **further(self.own.sbatch),
        }
        self.parameters = {}
        self.update_parameters(
            job_name=name,
            partition=self.own.partition or None,
            account=self.own.account or None,
            time=self.own.wall or self.needs.minutes,
            cpus_per_task=self.needs.cores,
            mem=f"{self.needs.memory_mib}M",
            gpus_per_node=self.needs.gpus or None,
            signal_delay_s=WARNING_SECONDS,
            stderr_to_stdout=True,
            wckey=None,
            additional_parameters=chosen,
            use_srun=False,
        )
        # A step of its own: Slurm's warnings and ends go to steps. It takes all of the job's CPUs.
        step = 'srun --unbuffered --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}"'
        text: str = super()._make_submission_file_text(f"{step} {shlex.join(command)}", "")
        return text


def further(options: str) -> dict[str, object]:
    """Options of sbatch by name, as `--sbatch` gives them; UserError for what is none."""
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise UserError(f"--sbatch {options}: {error}.") from None
    chosen = dict[str, object]()
    for word in words:
        _check_not_ours(options, word)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise UserError(
                f"--sbatch {options}: {word} is no option of the form --name=value or --name."
            )
        chosen[name.replace("-", "_")] = value if equals else True
    return chosen


def _check_not_ours(options: str, word: str) -> None:
    """UserError for an option of OURS, in any form that sbatch takes: -J X, -JX, --job-n=X."""
    long = word.removeprefix("--").partition("=")[0].replace("-", "_")
    for name, short in OURS.items():
        is_long = word.startswith("--") and long and name.startswith(long)
        if is_long or (word.startswith(short) and not word.startswith("--")):
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"--sbatch {options}: {option} ({short}) is not yours to choose: mst-bench finds"
                " its jobs again by it."
            )


def _words_of_sbatch(output: str) -> str:
    """What sbatch wrote, as part of a sentence."""
    lines = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in output.splitlines()]
    return "; ".join(line.strip().rstrip(".") for line in lines if line.strip()) or "nothing"


@contextmanager
def _without_our_variables() -> Iterator[None]:
    """Jobs get the environment of whoever submits them: no key, no passphrase.

    Nor is sbatch told there what only the script may say.
    """
    ours = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) or name in OUR_VARIABLES
    }
    for name in ours:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(ours)
