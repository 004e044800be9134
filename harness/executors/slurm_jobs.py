"""The jobs of one plan as the program that submitted them sees them, by files and by the queue.

A cohort's ending.json says what came of it. The queue says whether a job still waits or runs, and,
where it left no ending, how Slurm ended it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness.errors import INCOMPLETE, INTERRUPTED, OK, Incomplete, UserError
from harness.executors import slurm_queue
from harness.executors.slurm_queue import Ended, Job, NoAnswer
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.training.ending import Ending, ending, ending_of_process, stated_ending
from harness.words import count, say

SOONEST = 2.0
LATEST = 30.0
"""Seconds between two looks at the queue: soon after something changed, and later."""
SHARE = 0.1
"""Of the time since something changed, until the next look."""
LOOKS_GONE = 2
"""Looks that find a job gone before that is believed: a network file system may show its last files
a moment later."""
SIGNALLED = 128
"""Exit codes from here on say that a signal ended the cohort's process."""
SIGNALS = {each.value: each.name for each in signal.Signals}
KILL_TRIES = 3
"""Times that jobs are taken out of the queue before it is left to the user."""
OVER = "--max-wall is over"

Submit = Callable[[list[int]], str]
"""Indices of cohorts -> the id of the array that was submitted for them."""


class Jobs:
    """The jobs of a plan folder: submitted together, looked at together, stopped together."""

    def __init__(self, folder: Path, name: str, submit: Submit, max_wall: float | None) -> None:
        self.folder = folder
        self.name = name
        self.looks = 0
        """Looks at the queue that were answered."""
        self.queue = dict[int, Job]()
        """By cohort: what waits or runs, as of the last look."""
        self.stopping = ""
        """Why all jobs were told to save and end; empty: they were not."""
        self._submit = submit
        self._ready = list[CohortJob]()
        self._deadline = None if max_wall is None else time.monotonic() + max_wall
        self._looked = 0.0
        self._changed = time.monotonic()
        self._told = set[str]()
        self._silent = False

    # -- beginning --

    def adopt(self, cohorts: list[Cohort]) -> dict[int, CohortJob]:
        """The jobs of an earlier command that are still in the queue, by cohort.

        Raises Incomplete where Slurm does not answer.
        """
        try:
            self._look()
        except NoAnswer as error:
            raise Incomplete(f"--executor slurm: {error}.") from None
        adopted = {
            cohort.index: CohortJob(self, cohort, self.queue[cohort.index].id)
            for cohort in cohorts
            if cohort.index in self.queue
        }
        if adopted:
            say(f"{count(len(adopted), 'job')} of an earlier command: waiting for them.")
        return adopted

    def start(self, cohort: Cohort, slot: int, options: Options) -> CohortJob:
        """A job that `submit` will submit."""
        job = CohortJob(self, cohort, "")
        self._ready.append(job)
        return job

    def submit(self) -> None:
        """Submit what was started since, as one array.

        Raises what sbatch says, unless other jobs go on, perhaps for days: then these end by it.
        """
        if not self._ready:
            return
        ready = self._ready
        try:
            array = self._submit([job.cohort.index for job in ready])
        except UserError as error:
            if not self.queue:
                raise
            self._ready = []
            for job in ready:
                job.refused = ending(error.code, error.ending, error.reason)
            return

        self._ready = []
        for job in ready:
            job.id = f"{array}_{job.cohort.index}"
            self.queue[job.cohort.index] = Job(job.id, job.id, "PENDING", "")
        self._changed = time.monotonic()
        say(f"{count(len(ready), 'cohort')} in Slurm's queue: job {array}.")

    # -- looking --

    def look(self) -> int:
        """Look at the queue if it is time to; returns how many looks there were."""
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline and not self.stopping:
            self.stop(OVER)
        pause = min(LATEST, max(SOONEST, SHARE * (now - self._changed)))
        if now - self._looked >= (SOONEST if self.stopping else pause):
            try:
                self._look()
            except NoAnswer as error:
                if not self._silent:
                    say(f"Slurm does not answer ({error}); waiting for it.")
                self._silent = True
        return self.looks

    def _look(self) -> None:
        self._looked = time.monotonic()
        before = self.queue
        self.queue = slurm_queue.queued(self.folder, self.name)
        self.looks += 1
        self._silent = False
        if self.queue != before:
            self._changed = self._looked
        if self.stopping:
            self._tell()

    # -- ending --

    def stop(self, why: str) -> None:
        """Let what runs save and end, and take what waits out of the queue."""
        if not self.stopping:
            self.stopping = why
            with suppress(NoAnswer):  # else at the next look
                self._look()

    def _tell(self) -> None:
        """Again at each look: a job may have begun, or been given a new place, meanwhile."""
        jobs = list(self.queue.values())
        running = [job.number for job in jobs if job.state == "RUNNING"]
        new = [number for number in running if number not in self._told]
        waiting = [job.id for job in jobs if job.state not in ("RUNNING", "COMPLETING")]
        if new:
            self._told |= slurm_queue.save_and_end(new)
        if waiting:
            slurm_queue.cancel(waiting)

    def kill(self) -> None:
        """Take all jobs out of the queue, once."""
        left = [job.id for job in self.queue.values()]
        self.queue = {}
        for _ in range(KILL_TRIES):
            if not left:
                return
            with suppress(NoAnswer):
                cancelled = slurm_queue.cancel(left)
                left = [job for job in left if job not in cancelled]
        if left:
            words = count(len(left), "job")
            say(f"{words} may still be in Slurm's queue; `scancel --name={self.name}` ends them.")


class CohortJob:
    """A cohort's element of an array: what `supervise` holds of it."""

    def __init__(self, jobs: Jobs, cohort: Cohort, job_id: str) -> None:
        self.jobs = jobs
        self.cohort = cohort
        self.id = job_id
        self.refused: Ending | None = None
        """How it ended before it was submitted."""
        self._paths = Folder(jobs.folder).cohort(cohort.index)
        self._looked = jobs.looks
        self._gone = 0

    def ending(self) -> Ending | None:
        """How it ended, as soon as a look at the queue, or its results, say so."""
        if self.refused is not None:
            return self.refused
        looks = self.jobs.look()
        if looks == self._looked or not self.id:
            return None

        # A folder that is listed is seen as it is now, on network file systems too.
        list(self._paths.path.iterdir())
        stated = stated_ending(self._paths)
        self._looked = looks
        if stated is not None and stated.kind == "finished":
            return stated
        if self.cohort.index in self.jobs.queue:
            self._gone = 0
            return None
        self._gone += 1
        if self._gone < LOOKS_GONE and stated is None:
            return None
        return self._ending_of_gone(stated)

    def ask(self) -> None:
        self.jobs.stop("stopped")

    def kill(self) -> None:
        self.jobs.kill()

    def join(self) -> None:
        """Slurm sees to it."""

    def _ending_of_gone(self, stated: Ending | None) -> Ending | None:
        """The ending of a job that left the queue without results; None if Slurm knows better."""
        if stated is not None and stated.kind != "interrupted":
            return stated
        if self.jobs.stopping == OVER:
            saved = "; everything is saved" if stated else ""
            return ending(INCOMPLETE, "incomplete", f"{OVER}{saved}.")
        if self.jobs.stopping:
            return stated or ending(INTERRUPTED, "interrupted", "stopped.")

        # Somebody may have renamed it: then squeue did not show it.
        last = slurm_queue.ended(self.id)
        if last.state in slurm_queue.LIVE:
            self._gone = 0
            return None
        if last.state == "CANCELLED":
            saved = "everything is saved" if stated else "what was saved is whole"
            return ending(
                INCOMPLETE, "incomplete", f"Slurm's job {self.id} was cancelled; {saved}."
            )
        if stated is None:
            return self._ending_by(last)
        return self._killed(f"was stopped ({_in_words(last.state)})")

    def _ending_by(self, last: Ended) -> Ending:
        """The ending of a job that said nothing itself."""
        # As in a container: it would run out again.
        if last.state == "OUT_OF_MEMORY":
            return ending(
                INCOMPLETE,
                "incomplete",
                f"Slurm's job {self.id} ran out of memory: ask for more by --sbatch=--mem=SIZE, or"
                " give fewer --members (the cohorts are then others).",
            )
        if last.state == "TIMEOUT":
            return self._killed("was ended at its time limit (--wall)")
        if last.state == "COMPLETED":
            return ending_of_process(self._paths, OK)
        if last.state == "FAILED" and 0 < last.code < SIGNALLED:
            return ending_of_process(self._paths, last.code)
        if last.state == "FAILED" and last.code - SIGNALLED in SIGNALS:
            name = SIGNALS[last.code - SIGNALLED]
            return self._killed(f"was ended by {name}, {self._paths.log} may say why")
        return self._killed(f"was ended ({_in_words(last.state)})")

    def _killed(self, words: str) -> Ending:
        return ending(-1, "killed", f"Slurm's job {self.id} {words}.")


def _in_words(state: str) -> str:
    """Slurm's word for how a job ended: `node fail`."""
    return state.lower().replace("_", " ") if state else "Slurm does not remember how"
