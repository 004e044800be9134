"""Cohorts on a Ray cluster of two nodes without a common folder. Needs the extra `ray`.

Seven minutes on two cores that other programs keep busy.
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import harness
from harness.folder import Folder
from harness.planning.cohorts import read_cohorts
from harness.training.faults import faults
from harness.training.results import read_timings
from helpers.program import call, command, run_process
from helpers.ray_nodes import wait_until
from helpers.runs import newest_checkpoint, promised

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1500)]
CODE = Path(harness.__file__).parents[1]


@pytest.fixture
def begin(nodes, tiny_suite, tmp_path):
    """Begins the same run on the cluster, again and again: a process."""
    running = []

    def begin(*words):
        words = ("run", "--suite", tiny_suite, "--device", "cpu", *words)
        words += ("--executor", "ray", "--ray-address", nodes.address, "--out", tmp_path / "ray")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command(*words, "--checkpoint-seconds", "0"), **pipes))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait()


def inline(tiny_suite, out, *words):
    """The folder of the same run in this process."""
    words = ("run", "--suite", tiny_suite, "--device", "cpu", *words)
    assert call(*words, "--executor", "inline", "--out", out).returncode == 0
    (folder,) = out.iterdir()
    return folder


def test_a_killed_worker_and_a_lost_node_change_no_byte(nodes, begin, tiny_suite, tmp_path):
    words = ("--set", "environment_steps=120", "--members", "2")
    process = begin(*words)

    def in_the_middle():
        notes = list(tmp_path.glob("ray/*/cohorts/*/checkpoint/*.json"))
        both = {note.parents[1].name for note in notes} == {"0", "1"}
        return both and nodes.cohorts(0) and nodes.cohorts(1)

    # Each node carries out one cohort, and each of them has saved.
    wait_until(in_the_middle, process)
    ((_, worker),) = nodes.cohorts(0).items()
    nodes.lose(nodes.nodes[1])
    os.kill(worker, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=500)
    nodes.add(1)
    assert process.returncode == 0, stderr

    (folder,) = (tmp_path / "ray").iterdir()
    for cohort in read_cohorts(folder).cohorts:
        known = faults(folder, cohort)
        assert known and all("its node is gone" in fault.reason for fault in known)
        assert all(timing.resumes >= 1 for timing in read_timings(folder, cohort.runs))
        assert not any(Folder(folder).cohort(cohort.index).checkpoint.iterdir())
    assert promised(folder) == promised(inline(tiny_suite, tmp_path / "inline", *words))
    assert call("verify", folder).returncode == 0
    assert "(raylet)" not in stdout + stderr


def test_ctrl_c_saves_and_the_same_command_goes_on(nodes, begin, tiny_suite, tmp_path):
    words = ("--set", "environment_steps=120", "--set", "regimes=[dense, mst]")
    process = begin(*words)
    wait_until(lambda: any(map(newest_checkpoint, tmp_path.glob("ray/*"))), process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "everything is saved" in stderr
    assert not nodes.cohorts(0) and not nodes.cohorts(1)

    process = begin(*words)
    _, stderr = process.communicate(timeout=500)
    assert process.returncode == 0, stderr
    (folder,) = (tmp_path / "ray").iterdir()
    assert promised(folder) == promised(inline(tiny_suite, tmp_path / "inline", *words))
    (cohort,) = read_cohorts(folder).cohorts
    assert [timing.resumes for timing in read_timings(folder, cohort.runs)] == [1, 1]
    assert not any(nodes.work(0).iterdir()) or not any(nodes.work(1).iterdir())


def test_a_node_with_other_code_is_named_before_anything_begins(nodes, begin, tmp_path):
    other = tmp_path / "other"
    for name in ("agents", "envs", "harness", "leaderboard"):
        shutil.copytree(CODE / name, other / name)
    (other / "agents/spec.py").write_text("# another one\n")
    node = nodes.add(3, PYTHONPATH=str(other))
    try:
        _, stderr = (process := begin()).communicate(timeout=120)
    finally:
        nodes.lose(node)
    assert process.returncode == 7, stderr
    assert re.search(r"--executor ray: \S+ \(\S+\): has another code\. Every node needs", stderr)
    assert not list(tmp_path.glob("ray/*/cohorts/*/log.txt"))


def test_what_no_node_has_room_for_is_said(nodes, tiny_suite, tmp_path):
    words = ("run", "--suite", tiny_suite, "--executor", "ray", "--ray-address", nodes.address)
    done = run_process(*words, "--device", "cuda", "--out", tmp_path)
    assert done.returncode == 7
    assert "no node of the cluster" in done.stderr and "has one" in done.stderr
    done = run_process(*words, "--set", "settings.width=4096", "--out", tmp_path)
    assert done.returncode == 7
    assert "no node of the cluster" in done.stderr and "GiB of memory" in done.stderr
