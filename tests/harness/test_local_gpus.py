"""Several GPUs with the local executor: a process for each cohort, which sees one GPU and its share
of the CPUs. No GPU is needed to see what these processes are told."""

import json
import os
import sys

import pytest

from harness.errors import NonConforming, UserError
from harness.executors import executor, local
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from leaderboard.formats.run import Run

TELL = f"""#!{sys.executable}
import json, os, time
time.sleep(0.3)
cores = sorted(os.sched_getaffinity(0))
print(json.dumps([os.environ["CUDA_VISIBLE_DEVICES"], cores]), flush=True)
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What the processes of two cohorts at a time are told: GPU and CPUs."""
    program = tmp_path / "python"
    program.write_text(TELL)
    program.chmod(0o755)
    monkeypatch.setattr(local.sys, "executable", str(program))

    def carry_out(devices):
        cohorts = [
            Cohort(index, "cartpole-swingup", (Run("cartpole-swingup", "dense", index),))
            for index in range(2)
        ]
        chosen = executor("local", {"devices": devices})
        chosen.execute(tmp_path, None, cohorts, Options(device="cuda", jobs=2))
        logs = [Folder(tmp_path).cohort(index).log.read_text() for index in range(2)]
        return [json.loads(log) for log in logs]

    return carry_out


def test_each_process_sees_its_own_gpu_and_its_share_of_the_cores(told):
    (first, its_cores), (second, other_cores) = told("0, GPU-7c5e")
    assert (first, second) == ("0", "GPU-7c5e")
    cores = sorted(os.sched_getaffinity(0))
    assert its_cores + other_cores == cores or len(cores) == 1


def test_what_a_scheduler_hid_stays_hidden(told, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,3")
    assert [gpu for gpu, _ in told("0,1")] == ["5", "3"]


@pytest.mark.parametrize("jobs", range(1, 9))
def test_cores_are_divided_without_rest_and_nobody_gets_none(monkeypatch, jobs):
    monkeypatch.setattr(local.os, "sched_getaffinity", lambda process: set(range(2, 9)))
    shares = [local.cores_of(slot, jobs) for slot in range(jobs)]
    assert frozenset().union(*shares) == set(range(2, 9))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert jobs > 7 or sum(map(len, shares)) == 7


def test_as_many_cohorts_run_at_a_time_as_there_are_devices():
    assert executor("local", {"devices": "0,1,2"}).gpus == 3
    assert executor("local", {}).gpus == 1


def test_one_gpu_and_several_are_not_asked_for_at_once():
    with pytest.raises(UserError, match="--devices names the GPUs; leave --device out"):
        executor("local", {"devices": "0"}).choose_device(Options(device="cuda:1"), "any", "quick")


@pytest.mark.parametrize(
    ("gpus", "words"),
    [(0, "no CUDA device|a CUDA device, and"), (2, "--devices 2: 2 CUDA devices are visible")],
)
def test_a_gpu_that_is_not_there_is_named_before_anything_begins(monkeypatch, gpus, words):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(NonConforming, match=words):
        executor("local", {"devices": "1,2"}).choose_device(Options(), "any", "quick")
