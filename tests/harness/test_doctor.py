"""What `doctor` finds, and that a machine without room is told so before anything runs."""

import json
import subprocess
import sys

import pytest

from envs import fingerprint as prints
from envs.tasks import TASKS
from harness import doctor, run
from harness.entries import ranking
from harness.errors import NonConforming
from harness.machine import resources
from harness.options import Options
from harness.run import Request, execute
from leaderboard.formats.keys import one_use_key


@pytest.fixture(scope="module")
def quick_doctor():
    found = subprocess.run(
        [sys.executable, "-P", "-m", "harness.cli", "doctor", "smoke", "--json"],
        capture_output=True,
        text=True,
    )
    return found.returncode, json.loads(found.stdout)


def test_this_machine_conforms_and_says_what_the_suite_takes(quick_doctor):
    code, document = quick_doctor
    findings = {finding["name"]: finding for finding in document["findings"]}
    assert (code, document["conforms"]) == (0, True)
    for task in ("dog-run", "humanoid-run"):
        assert findings[task]["detail"].startswith(
            "fingerprint as recorded; 24 of 24 start states differ"
        )
    assert findings["libraries"]["detail"] == "all 7 pinned ones as pinned"
    (need,) = document["suites"]
    assert (need["suite"], need["runs"], need["runs_here"]) == ("smoke", 8, "yes")
    assert 0 < need["hours"] < 1
    assert 1 < need["memory_gib"] < 4


def test_every_task_has_a_recorded_fingerprint():
    assert all(prints.reference(task) for task in TASKS)


def test_another_library_and_another_simulation_do_not_conform(monkeypatch):
    real = doctor.metadata.version
    monkeypatch.setattr(
        doctor.metadata, "version", lambda name: "1.0.0" if name == "mujoco" else real(name)
    )
    (libraries, *_) = doctor._libraries()
    assert (libraries.status, libraries.detail) == ("wrong", "mujoco is 1.0.0, pinned 3.6.0")
    monkeypatch.setattr(doctor, "reference", lambda task: "0" * 64)
    (finding,), _ = doctor._environments({"cartpole-swingup": TASKS["cartpole-swingup"]})
    assert finding.status == "wrong"
    assert "is not the recorded 0000000000000000" in finding.detail
    assert ranking.other_bits(
        {"dog-run": "0" * 64, "humanoid-run": prints.reference("humanoid-run")}
    ) == ["dog-run"]


def test_an_environment_that_breaks_is_a_finding(monkeypatch):
    def broken(task, worker):
        worker._process.kill()
        worker.pool(task, [[1]])

    monkeypatch.setattr(doctor, "fingerprint", broken)
    (finding,), _ = doctor._environments({"cartpole-swingup": TASKS["cartpole-swingup"]})
    assert (finding.status, finding.detail) == (
        "wrong",
        "the environments' process was ended by SIGKILL",
    )


def test_too_little_memory_or_disk_is_refused_before_anything_runs(
    tiny_suite, tmp_path, monkeypatch
):
    request = Request(
        str(tiny_suite), tmp_path, executor="inline", overrides=("settings.buffer_size=1000000",)
    )
    monkeypatch.setattr(resources, "memory_gib", lambda: 0.5)
    with pytest.raises(
        NonConforming,
        match=r"1 cohorts at a time need about 1\.\d GiB of memory, and 0\.5 GiB are free",
    ):
        execute(request, one_use_key())
    monkeypatch.setattr(resources, "memory_gib", lambda: 64.0)
    monkeypatch.setattr(resources, "disk_gib", lambda path: 0.0)
    with pytest.raises(NonConforming, match=r"need about 0\.\d GiB of disk, and 0\.0 GiB are free"):
        execute(request, one_use_key())
    assert not list(tmp_path.glob("*/runs"))


def test_a_suite_for_a_larger_machine_is_refused_in_one_sentence(tmp_path):
    command = [
        sys.executable,
        "-P",
        "-m",
        "harness.cli",
        "run",
        "--suite",
        "dmc-hard",
        "--device",
        "cpu",
        "--out",
        str(tmp_path),
    ]
    found = subprocess.run(
        [*command, "--set", "settings.width=200000"], capture_output=True, text=True
    )
    assert found.returncode == 7
    assert found.stderr.startswith("mst-bench: 1 cohorts at a time need about")
    assert len(found.stderr.splitlines()) == 1


def test_jobs_are_as_many_as_memory_and_cores_allow(tiny_suite, tmp_path, monkeypatch):
    request = Request(str(tiny_suite), tmp_path, overrides=("seeds=8",))
    _, plan = run.plan_of(request)
    cohorts = list(run.frozen_cohorts(tmp_path, plan, "cpu", None).cohorts)
    needed = run.estimate(plan, cohorts).memory_gib
    monkeypatch.setattr(resources, "cores", lambda: 16)
    monkeypatch.setattr(resources, "memory_gib", lambda: 3.5 * needed)
    assert run._jobs(request, plan, cohorts, "cpu") == 3
    assert (
        run._jobs(
            Request(str(tiny_suite), tmp_path, options=Options(jobs=16)), plan, cohorts[:2], "cpu"
        )
        == 2
    )


def test_a_containers_limits_count(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "CGROUP", tmp_path)
    free = resources.memory_gib()
    (tmp_path / "memory.max").write_text("1073741824\n")
    (tmp_path / "memory.current").write_text("536870912\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert resources.memory_gib() == 0.5 < free
    assert resources.cores() == 1
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert resources.memory_gib() > 0.5
    assert resources.disk_gib(tmp_path / "not" / "there") > 0
