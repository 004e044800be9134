"""Cohorts as jobs of Slurm: an array of them, submitted through submitit.

Known limits: nodes see the plan's folder under the same path, and Python too, which begins the
command of a cohort also where that runs in an image.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import Incomplete, NonConforming, UserError
from harness.executors import Executor, slurm_queue
from harness.executors.installed import Installed
from harness.executors.sealing import Deadline
from harness.executors.slurm_jobs import Jobs
from harness.executors.slurm_options import SlurmOptions
from harness.executors.slurm_queue import NoAnswer
from harness.executors.supervise import supervise
from harness.folder import Folder
from harness.machine import apptainer, device
from harness.machine.provenance import command_line
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.words import say

if TYPE_CHECKING:
    from harness.executors.slurm_script import Scripts

POLL = 1.0
"""Seconds between looks at the files of cohorts."""
LAST_LINES = 20
"""Lines of the sealing job's output that a sentence repeats at most."""


class Slurm(Installed, Executor):
    """`--executor slurm`."""

    def __init__(self, own: SlurmOptions) -> None:
        self.own = own

    @property
    def elsewhere(self) -> bool:
        """Jobs run where Slurm puts them."""
        return True

    def choose_device(self, options: Options, need: str, suite: str) -> str:
        """The torch device of the jobs: this machine may have none. A job says at its start
        whether there is such a GPU."""
        chooses = "with --executor slurm, Slurm chooses the GPU of a job; give --device cuda."
        device.check_without_index(options.device, chooses)
        if options.device != "auto":
            return options.device
        return "cuda" if need == "cuda" else "cpu"

    def image_content(self) -> str | None:
        """Digest of the content of the image that jobs run in."""
        if self.own.apptainer:
            return apptainer.image_content(self.own.apptainer)
        return super().image_content()

    def check(self, folder: Path, cohorts: list[Cohort], options: Options) -> None:
        """UserError without Slurm or submitit, or for options of sbatch that cannot be given;
        NonConforming for checkpoints of other code, and for more cohorts than an array may have."""
        slurm_queue.check_slurm()
        _check_submitit()
        from harness.executors.slurm_script import further

        further(self.own.sbatch)
        _check_indices(folder, cohorts)
        if not self.own.apptainer:
            super().check(folder, cohorts, options)

    def preview(self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options) -> str:
        """The script that would be submitted."""
        scripts = self._scripts(folder.resolve(), plan, cohorts, options)
        indices = [cohort.index for cohort in cohorts]
        command = self._task(folder.resolve(), options)
        return scripts.array(indices, options.jobs or len(indices), command)

    def execute(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> list[UserError]:
        """An array with a job for each cohort, of which `options.jobs` run at a time.

        Jobs that an earlier command left in the queue are waited for. Jobs go on, and wait in the
        queue again at their time limit, while nobody watches.
        """
        if not cohorts:
            return []
        folder = folder.resolve()
        scripts = self._scripts(folder, plan, cohorts, options)

        # The command's --max-wall counts from now; a cohort's would count from its job's start.
        everywhere = replace(options, max_wall=None)
        command = self._task(folder, everywhere)

        def submit(indices: list[int]) -> str:
            text = scripts.array(indices, options.jobs or len(indices), command)
            return scripts.submit_script(text)

        jobs = Jobs(folder, slurm_queue.job_name(plan.id), submit, options.max_wall)
        begun = jobs.adopt(cohorts)
        all_at_once = replace(everywhere, jobs=len(cohorts))
        steps = (jobs.start, begun, jobs.submit)
        return supervise(folder, cohorts, all_at_once, *steps, POLL, outlive=True)

    def seal(self, folder: Path, plan: Plan, started: float, options: Options) -> None:
        """The manifest, written by a job: it states the machine and the code of the nodes."""
        folder = folder.resolve()
        paths = Folder(folder)
        name = f"{slurm_queue.job_name(plan.id)}-seal"
        log = paths.slurm / "seal.txt"
        log.unlink(missing_ok=True)
        deadline = Deadline(options, started)
        scripts = self._scripts(folder, plan, [], options)
        command = self._program(folder, options.device, "seal")
        command += ["--plan", str(paths.plan), "--started", repr(started)]
        command += ["--command", command_line()]
        try:
            job = scripts.submit_script(scripts.single(name, log, command))
        except UserError as error:
            raise Incomplete(f"the manifest could not be written: {error.reason}") from None

        say(f"the manifest is written by Slurm's job {job}.")
        try:
            _wait_for(job, deadline)
        except BaseException:
            with suppress(NoAnswer):
                slurm_queue.cancel([job])
            raise
        list(folder.iterdir())  # seen as it is now, on network file systems too
        if not paths.manifest.exists():
            raise Incomplete(
                f"the manifest could not be written by Slurm's job {job}: {_end_of(log)}"
            )

    def _scripts(
        self, folder: Path, plan: Plan, cohorts: list[Cohort], options: Options
    ) -> Scripts:
        _check_submitit()
        from harness.executors.slurm_script import Needs, Scripts

        needs = Needs.of(plan, cohorts, options.device)
        return Scripts(folder, slurm_queue.job_name(plan.id), self.own, needs)

    def _task(self, folder: Path, options: Options) -> list[str]:
        """The command of every job of the array, which knows its cohort by its own index."""
        plan = str(Folder(folder).plan)
        task = [sys.executable, "-P", "-m", "harness.executors.slurm_task", plan]
        cohort = [*self._program(folder, options.device, "run-cohort"), "--plan", plan]
        return [*task, str(options.retries), *cohort, *options.arguments()]

    def _program(self, folder: Path, device_name: str, command: str) -> list[str]:
        """The words of a command of ours: of this installation, or in the image."""
        if not self.own.apptainer:
            return [sys.executable, "-P", "-m", "harness.cli", command]
        return apptainer.running(self.own.apptainer, folder, device_name, command)


def _check_submitit() -> None:
    """UserError where it is not installed."""
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise UserError(
            "--executor slurm: submitit is not installed; `pip install 'mst-bench[slurm]'`."
        ) from None


def _check_indices(folder: Path, cohorts: list[Cohort]) -> None:
    """NonConforming for a cohort whose index no element of an array may have."""
    limit = slurm_queue.array_limit()
    largest = max((cohort.index for cohort in cohorts), default=-1)
    if limit is not None and largest >= limit:
        raise NonConforming(
            f"--executor slurm: the plan has a cohort {largest}, and an array of this cluster has"
            f" indices below {limit} (MaxArraySize). Give more --members, so that there are fewer"
            f" cohorts (remove {Folder(folder).cohorts} first), or several commands with fewer"
            " seeds each; `mst-bench merge` joins them."
        )


def _wait_for(job: str, deadline: Deadline) -> None:
    """Return once a job left the queue; Incomplete if it does not begin before the deadline."""
    state: str | None = ""
    while True:
        time.sleep(POLL)
        with suppress(NoAnswer):
            state = slurm_queue.waiting(job)
        if state is None:
            return
        if state not in ("RUNNING", "COMPLETING"):
            deadline.check()


def _end_of(log: Path) -> str:
    """The last lines of a job's output."""
    if not log.exists():
        return "it left no output."
    return "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
