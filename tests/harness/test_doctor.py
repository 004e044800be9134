"""What `doctor` finds, and that a machine without room says so before anything runs."""

import json
import os
import signal
from dataclasses import replace

import pytest

from envs import fingerprint as prints
from envs.tasks import TASKS
from harness import doctor
from harness.entries import ranking
from harness.errors import Incomplete, NonConforming
from harness.executors.inline import Inline
from harness.executors.local import Local
from harness.machine import resources
from harness.options import Options
from harness.planning.cohorts import frozen_cohorts
from harness.planning.estimate import estimate
from harness.run import Request, execute, plan_of
from helpers.program import call
from leaderboard.formats.keys import one_use_key


@pytest.mark.slow
def test_this_machine_conforms_and_says_what_the_suite_takes():
    done = call("doctor", "smoke", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["conforms"]) == (0, True)

    # Simulation and libraries.
    details = {finding["name"]: finding["detail"] for finding in document["findings"]}
    for task in ("dog-run", "humanoid-run"):
        begins = "fingerprint as recorded; 24 of 24 start states differ"
        assert details[task].startswith(begins)
    assert details["libraries"] == "all 7 pinned ones as pinned"

    # What the suite needs.
    (need,) = document["suites"]
    assert (need["suite"], need["runs"], need["runs_here"]) == ("smoke", 8, "yes")
    assert 0 < need["hours"] < 1
    assert 1 < need["memory_gib"] < 4


def test_every_task_has_a_recorded_fingerprint():
    assert all(prints.reference(task) for task in TASKS)


def findings(tmp_path, suite):
    """What `doctor` finds on this machine for a suite file, by name."""
    diagnosis = doctor.diagnose(tmp_path, [str(suite)])
    return {finding.name: finding for finding in diagnosis.findings}


def test_another_library_and_another_simulation_do_not_conform(tiny_suite, tmp_path, monkeypatch):
    real = doctor.metadata.version
    monkeypatch.setattr(
        doctor.metadata, "version", lambda name: "1.0.0" if name == "mujoco" else real(name)
    )
    monkeypatch.setattr(doctor, "reference", lambda task: "0" * 64)
    by_name = findings(tmp_path, tiny_suite)

    libraries = by_name["libraries"]
    assert (libraries.status, libraries.detail) == ("wrong", "mujoco is 1.0.0, pinned 3.6.0")
    simulation = by_name["cartpole-swingup"]
    assert simulation.status == "wrong"
    assert "is not the recorded 0000000000000000" in simulation.detail


def test_an_entry_of_other_bits_names_its_tasks():
    fingerprints = {"dog-run": "0" * 64, "humanoid-run": prints.reference("humanoid-run")}
    assert ranking.other_bits(fingerprints) == ["dog-run"]


def test_an_environment_that_breaks_is_a_finding(tiny_suite, tmp_path, monkeypatch):
    def broken(task, worker):
        os.kill(worker.pid, signal.SIGKILL)
        worker.pool(task, [[1]])

    monkeypatch.setattr(doctor, "fingerprint", broken)
    simulation = findings(tmp_path, tiny_suite)["cartpole-swingup"]
    assert simulation.status == "wrong"
    assert simulation.detail == "the environments' process was ended by SIGKILL"


def test_too_little_memory_or_disk_is_refused_before_anything_runs(
    tiny_suite, tmp_path, monkeypatch
):
    large = ("settings.buffer_size=1000000",)
    request = Request(str(tiny_suite), tmp_path, large, executor="inline")
    sentence = r"1 cohort at a time: needs about 1\.\d GiB of memory, and 512 MiB are free"
    monkeypatch.setattr(resources, "memory_gib", lambda: 0.5)
    with pytest.raises(NonConforming, match=sentence):
        execute(request, one_use_key())

    monkeypatch.setattr(resources, "memory_gib", lambda: 64.0)
    monkeypatch.setattr(resources, "disk_gib", lambda path: 0.0)
    with pytest.raises(NonConforming, match=r"need about \d+ MiB of disk, and 0 MiB are free"):
        execute(request, one_use_key())
    assert not list(tmp_path.glob("*/runs"))


@pytest.fixture
def jobs_of(monkeypatch):
    """How many cohorts at a time the executor is asked for by a request."""
    asked_for = []

    def execute_cohorts(executor, folder, plan, cohorts, options):
        asked_for.append(options.jobs)
        raise Incomplete("read far enough.")

    for executor in (Inline, Local):
        monkeypatch.setattr(executor, "execute", execute_cohorts)

    def jobs_of_request(request):
        with pytest.raises(Incomplete):
            execute(request, one_use_key())
        return asked_for.pop()

    return jobs_of_request


def test_jobs_are_as_many_as_memory_and_cores_allow(
    tiny_suite, tmp_path, monkeypatch, capsys, jobs_of
):
    request = Request(str(tiny_suite), tmp_path, ("seeds=8",))
    _, plan = plan_of(request)
    needed = estimate(plan, list(frozen_cohorts(tmp_path, plan, "cpu", None).cohorts)).memory_gib
    monkeypatch.setattr(resources, "cores", lambda: 16)
    monkeypatch.setattr(resources, "memory_gib", lambda: 3.5 * needed)
    assert jobs_of(request) == 3
    assert jobs_of(replace(request, executor="inline")) == 1

    # Never more than there are cohorts.
    monkeypatch.setattr(resources, "memory_gib", lambda: 64.0)
    options = Options(jobs=16)
    few = Request(str(tiny_suite), tmp_path, members=2, options=options)
    assert jobs_of(few) == 2

    # Cohorts are those that were fixed first.
    assert "fixed already" not in capsys.readouterr().err
    assert jobs_of(replace(few, members=1)) == 2
    assert "fixed already; --members does not count" in capsys.readouterr().err


def test_a_containers_limits_count(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "CGROUP", tmp_path)
    free = resources.memory_gib()
    (tmp_path / "memory.max").write_text("1073741824\n")
    (tmp_path / "memory.current").write_text("536870912\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert resources.memory_gib() == 0.5 < free
    assert resources.cores() == 1

    # Without limits.
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert resources.memory_gib() > 0.5


def test_the_disk_of_a_folder_that_is_not_there_is_that_of_its_parent(tmp_path):
    assert resources.disk_gib(tmp_path / "not" / "there") > 0
