"""Cohorts as jobs of Slurm itself: its daemons run on this machine, with two nodes.

About 90 s on two free cores.
"""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from harness.entries.manifest import read_manifest
from harness.folder import Folder
from helpers.cluster import wait
from helpers.program import call
from helpers.runs import promised
from helpers.submitting import STEPS, longer, plan_folder, step, submitted, words

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1500)]

COHORTS = 8
ENDLESS = ("--set", "environment_steps=400000", "--members", "4")
"""One cohort that ends in no test."""


def learning(cluster, folder, node):
    """Cohorts that learn on a node now, with the numbers of their jobs."""
    return {
        index: job
        for index, (job, state, where) in cluster.jobs(folder).items()
        if state == "RUNNING" and where == node and 0 < step(folder, index) < STEPS
    }


def faults_of(folder, index):
    """The reasons of a cohort's faults."""
    path = Folder(folder).cohort(index).faults
    if not path.exists():
        return []
    return [fault["reason"] for fault in json.loads(path.read_bytes())["faults"]]


def play(cluster, folder):
    """One node is drained, one is lost, a job is preempted and another one put back into the queue.

    Returns the cohort that was preempted, and one that was lost with its node.
    """
    # The first node takes no more jobs. Of those on the second one, one is preempted.
    cluster.say("scontrol", "update", "NodeName=one", "State=DRAIN", "Reason=test")
    there = wait(lambda: learning(cluster, folder, "two"), "cohorts on the second node")
    preempted = next(iter(there))
    cluster.signal("USR2", there[preempted])
    wait(
        lambda: cluster.jobs(folder).get(preempted, ("", "", ""))[1] != "RUNNING",
        "the job that was preempted",
    )

    # Then there is no such node any more.
    lost = wait(lambda: learning(cluster, folder, "two"), "a cohort on the second node")
    cluster.kill_node("two")

    # The first node takes jobs again, and one of its jobs goes back to the queue.
    cluster.say("scontrol", "update", "NodeName=one", "State=RESUME")
    put_back = wait(lambda: learning(cluster, folder, "one"), "a cohort on the first node")
    cluster.say("scontrol", "requeue", next(iter(put_back.values())))
    wait(lambda: "two" in cluster.say("sinfo", "--states=down"), "a node that is known lost")
    cluster.begin_node("two")
    return preempted, next(iter(lost))


@pytest.mark.slow
def test_drained_preempted_killed_and_left_alone_eight_cohorts_leave_the_same_bytes(
    cluster, tiny_suite, tmp_path
):
    """Also the program that submitted them is killed; the same command goes on."""
    eight = longer(COHORTS)
    with submitted(*words(tiny_suite, tmp_path / "slurm", *eight)) as first:
        folder = plan_folder(tmp_path / "slurm")
        wait(lambda: learning(cluster, folder, "one"), "cohorts that learn on the first node")
        assert "Slurm's job" in call("status", folder).stdout
        first.kill()

    with submitted(*words(tiny_suite, tmp_path / "slurm", *eight)) as again:
        preempted, lost = play(cluster, folder)
        _, errors = again.communicate()
    assert again.returncode == 0, errors
    assert "of an earlier command: waiting for them" in errors

    # Every byte is that of a run that nothing happened to.
    inline = ("--out", tmp_path / "inline", "--device", "cpu", "--executor", "inline")
    unbroken = call("run", "--suite", tiny_suite, *eight, *inline)
    assert unbroken.returncode == 0, unbroken.stderr
    assert promised(folder) == promised(plan_folder(tmp_path / "inline"))

    # What happened is recorded: the loss of a node is a fault, an orderly end is none.
    reasons = faults_of(folder, lost)
    assert any("was killed, and Slurm began it anew" in reason for reason in reasons)
    assert not Folder(folder).cohort(preempted).faults.exists()
    manifest = read_manifest(folder)
    assert manifest.resumes >= 1
    assert manifest.faults >= 1
    assert cluster.jobs(folder) == {}


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_goes_on(cluster, tiny_suite, tmp_path):
    two = (*longer(2), "-j", "1")
    with submitted(*words(tiny_suite, tmp_path, *two)) as process:
        folder = plan_folder(tmp_path)
        wait(lambda: step(folder, 0) > 0, "the first cohort")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130
    assert "once more stops now" in errors
    assert "stopped; everything is saved" in errors
    assert cluster.jobs(folder) == {}
    assert any(Folder(folder).cohort(0).checkpoint.glob("*.json"))

    done = call(*words(tiny_suite, tmp_path, *two))
    assert done.returncode == 0, done.stderr
    assert read_manifest(folder).resumes == 1
    assert read_manifest(folder).faults == 0


@pytest.mark.slow
def test_jobs_save_and_leave_the_queue_when_the_wall_time_is_over(cluster, tiny_suite, tmp_path):
    done = call(*words(tiny_suite, tmp_path, *ENDLESS, "--max-wall", "30"))
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert "cohort 0: --max-wall is over; everything is saved." in last
    assert last.endswith("The same command resumes.")
    assert cluster.jobs(plan_folder(tmp_path)) == {}


def test_a_partition_that_is_not_there_is_said_in_slurms_words(cluster, tiny_suite, tmp_path):
    done = call(*words(tiny_suite, tmp_path, "--partition", "nowhere"))
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("mst-bench: --executor slurm: sbatch says: ")
    assert "Invalid partition name specified" in last
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_job_that_slurm_kills_for_its_memory_is_begun_anew_and_then_given_up(
    cluster, tiny_suite, tmp_path
):
    too_little = ("--sbatch=--mem=200M", "--retries", "1")
    done = call(*words(tiny_suite, tmp_path, *ENDLESS, *too_little))
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert "was ended by SIGKILL" in last
    assert "gave up after 1 retry. What was saved is whole." in last
    folder = plan_folder(tmp_path)
    assert len(faults_of(folder, 0)) == 2
    assert "exceeded memory limit" in Folder(folder).cohort(0).log.read_text()


@pytest.mark.slow
def test_stays_that_are_too_short_for_anything_are_faults_and_end(cluster, tiny_suite, tmp_path):
    """Warned at once, back into the queue, and so on: that would be a loop."""
    with submitted(*words(tiny_suite, tmp_path, *ENDLESS, "--retries", "0")) as process:
        task = wait(lambda: task_of(cluster), "the task")
        os.kill(task, signal.SIGUSR2)
        _, errors = process.communicate()
    assert process.returncode == 3, errors
    assert re.search(r"Slurm's job \d+_0 was over before there was anything new to save", errors)
    assert "gave up after 0 retries" in errors


@pytest.mark.slow
def test_at_its_time_limit_a_job_saves_and_goes_on_in_a_new_place(cluster, tiny_suite, tmp_path):
    """Slurm itself warns: a minute is less than it is asked to warn ahead. So it may also warn
    before there is anything new to save, which is a fault."""
    with submitted(*words(tiny_suite, tmp_path, *ENDLESS, "--wall", "1")) as process:
        folder = plan_folder(tmp_path)
        wait(lambda: step(folder, 0) > 0, "a cohort that learns")
        wait(lambda: running(cluster, folder) is None, "the end of its first stay", 100.0)
        before = step(folder, 0)
        wait(lambda: step(folder, 0) > before, "its second stay")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode == 130, errors
    log = Folder(folder).cohort(0).log.read_text()
    assert "stopped; everything is saved" in log.partition("DUE TO JOB REQUEUE")[0]


def running(cluster, folder):
    """The job of cohort 0, while it runs."""
    job, state, _ = cluster.jobs(folder).get(0, ("", "", ""))
    return job if state == "RUNNING" else None


def task_of(cluster):
    """The process that passes Slurm's signals on, once it heeds them."""
    for process in cluster.processes():
        status = Path(f"/proc/{process}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        name = Path(f"/proc/{process}/cmdline").read_text()
        if "harness.executors.slurm_task" in name and caught >> (signal.SIGUSR2 - 1) & 1:
            return process
    time.sleep(0.05)
    return None
