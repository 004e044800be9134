"""Jobs in the queue as the program that submitted them sees them, with stand-ins for Slurm's
programs: what a cluster does rarely, or only when it is large."""

import errno
import os
import time

import pytest

from harness.errors import Incomplete, NonConforming
from harness.executors import executor, slurm_jobs, slurm_queue
from harness.executors import sealing as sealing_module
from harness.executors import slurm as slurm_module
from harness.executors.slurm_jobs import Jobs
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort, read_cohorts
from harness.planning.plan import read_plan
from harness.training.progress import Display
from leaderboard.formats.run import Run

PROGRAMS = {
    "sbatch": "echo Submitted batch job 7",
    "squeue": 'cat "$0.says"',
    "scontrol": 'cat "$0.says"',
    "scancel": 'echo "$@" >> "$0.was-told"',
}


class Slurm:
    """Slurm's programs, which say what a test writes down."""

    def __init__(self, bin_folder, plan_folder):
        self.bin = bin_folder
        self.plan_folder = plan_folder
        for name, script in PROGRAMS.items():
            self.program(name, script)
        self.queue({})
        self.says("scontrol", "")

    def program(self, name, script):
        """A program by the lines of its shell script."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def queue(self, states):
        """What squeue says: the state of each cohort's job."""
        lines = [f"7|{i}|{100 + i}|{state}||{self.plan_folder}" for i, state in states.items()]
        self.says("squeue", "\n".join(lines))

    def says(self, name, text):
        """What a program prints from now on."""
        (self.bin / f"{name}.says").write_text(text)

    def cancelled(self):
        """The words of each scancel so far."""
        path = self.bin / "scancel.was-told"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def plan_folder(tmp_path):
    folder = tmp_path / "plan"
    folder.mkdir()
    return folder


@pytest.fixture
def slurm(tmp_path, plan_folder, monkeypatch):
    """Slurm's programs on the path; the queue is looked at as often as it is asked."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    for name in ("SOONEST", "LATEST", "SHARE"):
        monkeypatch.setattr(slurm_jobs, name, 0.0)
    return Slurm(bin_folder, plan_folder)


def begun(plan_folder, cohorts):
    """Jobs of so many cohorts, as array 7."""
    jobs = Jobs(plan_folder, "mst-bench-plan", lambda indices: "7", None)
    started = [jobs.start(cohort, cohort.index, Options()) for cohort in some(cohorts)]
    for job in started:
        Folder(plan_folder).cohort(job.cohort.index).path.mkdir(parents=True)
    return jobs, started


def some(cohorts):
    return [Cohort(i, "cartpole-swingup", (Run("c", "dense", i),)) for i in range(cohorts)]


def gone():
    return OSError(errno.EIO, "Input/output error", "/shared")


def test_what_could_not_be_submitted_while_the_disk_was_gone_is_submitted_later(slurm, plan_folder):
    errors = [gone()]

    def submit(indices):
        if errors:
            raise errors.pop()
        return "7"

    jobs, (job,) = begun(plan_folder, 1)
    jobs._submit = submit
    with pytest.raises(OSError, match="Input/output"):
        jobs.submit()
    assert [job.ending() for _ in range(5)] == [None] * 5, "it is not gone: it never was there"
    jobs.submit()
    assert job.id == "7_0"


def test_a_look_at_the_files_of_a_job_that_failed_is_made_again(slurm, plan_folder, monkeypatch):
    jobs, (job,) = begun(plan_folder, 1)
    jobs.submit()
    slurm.queue({0: "RUNNING"})
    monkeypatch.setattr(slurm_jobs, "LATEST", 100.0)
    errors = [gone(), gone()]
    real = slurm_jobs.stated_ending

    def stated(paths):
        if errors:
            raise errors.pop()
        return real(paths)

    monkeypatch.setattr(slurm_jobs, "stated_ending", stated)
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            job.ending()
    assert job.ending() is None


def test_jobs_go_on_when_an_error_ends_the_program_that_submitted_them(slurm, fresh, monkeypatch):
    pytest.importorskip("submitit", reason="needs the extra slurm")
    slurm.plan_folder = fresh
    slurm.queue({0: "RUNNING"})

    def refresh(*_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Display, "refresh", refresh)
    cohorts = list(read_cohorts(fresh).cohorts)
    chosen = executor("slurm", {})
    with pytest.raises(ZeroDivisionError):
        chosen.execute(fresh, read_plan(Folder(fresh).plan), cohorts, Options(device="cpu"))
    assert slurm.cancelled() == []


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "REQUEUED", "COMPLETING", "SUSPENDED"])
def test_a_job_that_squeue_does_not_show_but_slurm_knows_is_not_gone(slurm, plan_folder, state):
    """Somebody may have renamed it."""
    jobs, (job,) = begun(plan_folder, 1)
    jobs.submit()
    slurm.says("scontrol", f"JobId=100 ArrayJobId=7 JobState={state} ExitCode=0:0")
    assert [job.ending() for _ in range(6)] == [None] * 6
    slurm.says("scontrol", "JobId=100 ArrayJobId=7 JobState=NODE_FAIL ExitCode=0:0")
    endings = [job.ending() for _ in range(3)]
    assert endings[-1].reason == "Slurm's job 7_0 was ended (node fail)."


TOO_MANY = """
if [ $# -gt 150 ]; then exec sleep 60; fi
case " $* " in *" $(cat "$0.stuck") "*) exec sleep 60;; esac
echo "$@" >> "$0.was-told"
"""
"""scancel that takes too long for many jobs, and for one that is stuck."""


def told(slurm, *words):
    """The jobs that scancel was given beside these words."""
    lines = [line for line in slurm.cancelled() if [w for w in line if w[0] == "-"] == [*words]]
    return [job for line in lines for job in line if job[0] != "-"]


@pytest.fixture
def hasty(slurm, monkeypatch):
    """scancel is not waited for long."""
    slurm.program("scancel", TOO_MANY)
    (slurm.bin / "scancel.stuck").write_text("none")
    for name in ("SECONDS", "SHORT_SECONDS"):
        monkeypatch.setattr(slurm_queue, name, 1.0)
    return slurm


def test_every_one_of_many_jobs_is_told_to_save(hasty, plan_folder):
    """One scancel was given all, was ended after ten seconds, and all counted as told."""
    jobs, _ = begun(plan_folder, 0)
    hasty.queue(dict.fromkeys(range(250), "RUNNING") | dict.fromkeys(range(250, 500), "PENDING"))
    jobs.stop("stopped")
    assert sorted(told(hasty, "--quiet", "--signal=TERM"), key=int) == [
        str(100 + index) for index in range(250)
    ]
    assert len(told(hasty, "--quiet")) == 250


def test_a_job_that_was_not_told_is_told_at_the_next_look(hasty, plan_folder):
    jobs, _ = begun(plan_folder, 0)
    (hasty.bin / "scancel.stuck").write_text("100")
    hasty.queue(dict.fromkeys(range(150), "RUNNING"))
    jobs.stop("stopped")
    signalled = ("--quiet", "--signal=TERM")
    assert sorted(told(hasty, *signalled)) == sorted(str(each) for each in range(200, 250))
    (hasty.bin / "scancel.stuck").write_text("none")
    jobs._look()
    assert sorted(told(hasty, *signalled)) == sorted(str(each) for each in range(100, 250))
    jobs._look()
    assert len(told(hasty, *signalled)) == 150, "each once"


def test_what_could_not_be_cancelled_is_said(hasty, plan_folder, capsys):
    jobs, _ = begun(plan_folder, 0)
    (hasty.bin / "scancel.stuck").write_text("7_0")
    hasty.queue(dict.fromkeys(range(150), "RUNNING"))
    jobs._look()
    jobs.kill()
    assert len(told(hasty, "--quiet")) == 50
    assert "100 jobs may still be in Slurm's queue; `scancel --name=" in capsys.readouterr().err


@pytest.fixture
def sealing(slurm, fresh, monkeypatch):
    """Seals a plan by a job, in a second of --max-wall."""
    pytest.importorskip("submitit", reason="needs the extra slurm")
    monkeypatch.setattr(sealing_module, "AT_LEAST", 0.05)
    monkeypatch.setattr(slurm_module, "POLL", 0.1)
    options = Options(device="cpu", max_wall=1.0)
    plan = read_plan(Folder(fresh).plan)
    return lambda: executor("slurm", {}).seal(fresh, plan, time.time() - 1.0, options)


@pytest.mark.parametrize("says", ["echo PENDING", "echo Socket timed out >&2; exit 1"])
def test_a_job_that_writes_the_manifest_waits_no_longer_than_the_wall_time(slurm, sealing, says):
    slurm.program("squeue", says)
    with pytest.raises(Incomplete, match="the manifest waited for room: --max-wall is over"):
        sealing()
    assert slurm.cancelled() == [["--quiet", "7"]]


def test_one_that_runs_ends(slurm, sealing):
    states = ["RUNNING"] * 9
    (slurm.bin / "states").write_text("\n".join([*states, ""]))
    slurm.program("squeue", 'cd "${0%/*}"; head -n 1 states; sed -i 1d states')
    with pytest.raises(Incomplete, match="could not be written by Slurm's job 7: it left no"):
        sealing()
    assert slurm.cancelled() == []


CONFIG = """Configuration data as of 2026-11-28T06:00:00
MaxArraySize            = 1001
MaxBatchRequeue         = 5
"""


def test_more_cohorts_than_an_array_may_have_are_refused_before_anything_begins(slurm, fresh):
    pytest.importorskip("submitit", reason="needs the extra slurm")
    slurm.says("scontrol", CONFIG)
    chosen = executor("slurm", {})
    chosen.check(fresh, some(1001), Options(device="cpu"))
    with pytest.raises(NonConforming, match=r"a cohort 1001, .* has indices below 1001") as raised:
        chosen.check(fresh, some(1002), Options(device="cpu"))
    assert "Give more --members" in raised.value.reason


def test_a_controller_that_does_not_answer_leaves_that_to_sbatch(slurm, fresh):
    pytest.importorskip("submitit", reason="needs the extra slurm")
    slurm.program("scontrol", "echo Unable to contact slurm controller >&2; exit 1")
    executor("slurm", {}).check(fresh, some(1002), Options(device="cpu"))
