"""Stopped or killed at any moment, a run ends with the bytes of the unbroken one."""

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from harness.entries import ranking
from harness.errors import Incomplete, NonConforming, UserError
from harness.files import digest_file
from harness.machine import provenance
from harness.planning.plan import read_plan
from harness.run import Request, execute
from harness.training.checkpoint import Checkpoints
from harness.training.state_file import read_state, write_state
from helpers.runs import carry_out, command, newest, promised, results, stop_at
from helpers.suites import TINY
from leaderboard.formats.keys import one_use_key

KILLS = int(os.environ.get("MST_BENCH_KILLS", "1"))
"""Moments of death that the kill test tries; set the variable for a longer hunt."""


def test_stopped_and_resumed_many_times_it_ends_with_the_same_bytes(fresh, tiny_entry, monkeypatch):
    stops = [
        1,
        39,
        1,
        19,
        29,
    ]  # before and at the warm-up's end, at target copies, rewires and evaluations
    stop_at(monkeypatch, stops)
    for _ in stops:
        with pytest.raises(Incomplete):
            carry_out(fresh)
    carry_out(fresh)
    assert promised(fresh) == results(tiny_entry)
    timing = json.loads((fresh / "runs/cartpole-swingup/mst/0/timing.json").read_bytes())
    assert timing["resumes"] == len(stops)
    assert not list((fresh / "cohorts/0/checkpoint").iterdir()), (
        "a finished cohort keeps no checkpoint"
    )


def test_killed_at_random_moments_it_ends_with_the_same_bytes(fresh, tiny_entry):
    """SIGKILL, with a checkpoint after every agent step: many deaths fall into the writing."""
    rng, killed = random.Random(7), 0
    while killed < KILLS:
        with subprocess.Popen(
            command(fresh), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            before = newest(fresh)
            while newest(fresh) == before and process.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.uniform(0.0, 0.4))
            if process.poll() is not None:
                shutil.rmtree(fresh / "runs")  # it finished first: begin again
                continue
            process.send_signal(signal.SIGKILL)
            killed += 1
    assert subprocess.run(command(fresh)).returncode == 0
    assert promised(fresh) == results(tiny_entry)


@pytest.fixture(scope="module")
def broken_off(tiny_entry, tmp_path_factory):
    """A folder whose cohort was stopped twice, so that it has two checkpoints."""
    folder = tmp_path_factory.mktemp("broken") / tiny_entry.parent.name
    folder.mkdir()
    for name in ("plan.json", "cohorts.json"):
        shutil.copy(tiny_entry.parent / name, folder / name)
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, [55, 30])
        for _ in range(2):
            with pytest.raises(Incomplete):
                carry_out(folder)
    return folder


@pytest.fixture
def interrupted(broken_off, tmp_path):
    """A copy of it."""
    return shutil.copytree(broken_off, tmp_path / broken_off.name)


def test_a_broken_checkpoint_is_passed_over_for_the_one_before(interrupted, tiny_entry):
    state = interrupted / "cohorts/0/checkpoint/2.safetensors"
    state.write_bytes(state.read_bytes()[:-7] + b"garbage")
    carry_out(interrupted)
    assert promised(interrupted) == results(tiny_entry)


@pytest.mark.parametrize("damage", ["truncate", "empty", "not json", "gone"])
def test_without_a_whole_checkpoint_one_sentence_says_what_to_do(interrupted, damage):
    for note in interrupted.glob("cohorts/0/checkpoint/*.json"):
        state = note.with_suffix(".safetensors")
        if damage == "truncate":
            state.write_bytes(state.read_bytes()[:1000])
        elif damage == "empty":
            state.write_bytes(b"")
        elif damage == "gone":
            state.unlink()
        else:
            note.write_text("{")
    with pytest.raises(UserError, match=r"no checkpoint is whole .*Remove this folder") as caught:
        carry_out(interrupted)
    assert "\n" not in str(caught.value)


def test_records_that_were_changed_or_cut_are_noticed(interrupted):
    path = interrupted / "runs/cartpole-swingup/sst/0/records.jsonl"
    original = path.read_bytes()
    path.write_bytes(original.replace(b'"agent_step":0', b'"agent_step":9', 1))
    with pytest.raises(UserError, match="chain of records is broken"):
        carry_out(interrupted)
    path.write_bytes(original.replace(b'"agent_step":60', b'"agent_step":90', 1))
    with pytest.raises(UserError, match="its last record is another"):
        carry_out(interrupted)
    path.write_bytes(original[:-5])
    with pytest.raises(UserError, match="the checkpoint resumes after"):
        carry_out(interrupted)
    path.unlink()
    with pytest.raises(UserError, match="is gone"):
        carry_out(interrupted)


def test_changed_code_is_refused_unless_drift_is_allowed(interrupted, monkeypatch):
    before = provenance.identity()
    monkeypatch.setattr(provenance, "identity", lambda: {**before, "torch": "9.9"})
    with pytest.raises(NonConforming, match=r"another torch.*--allow-drift"):
        carry_out(interrupted)
    carry_out(interrupted, allow_drift=True)
    assert (
        json.loads((interrupted / "runs/cartpole-swingup/mst/0/timing.json").read_bytes())[
            "drifted"
        ]
        is True
    )
    reasons = ranking.unranked_because(read_plan(interrupted / "plan.json"), drifted=True)
    assert "code or libraries changed" in reasons[0]


def test_max_wall_saves_and_is_incomplete(fresh):
    with pytest.raises(Incomplete, match="--max-wall is over"):
        carry_out(fresh, max_wall=0.0)
    assert newest(fresh) == 1


def test_two_processes_do_not_carry_out_one_cohort(fresh):
    with subprocess.Popen(command(fresh), stderr=subprocess.DEVNULL) as process:
        while not newest(fresh):
            time.sleep(0.01)
        second = subprocess.run(command(fresh), capture_output=True, text=True)
        process.kill()
    assert second.returncode == 3
    assert "another process is carrying out this cohort" in second.stderr


def test_cohorts_save_and_stop_when_the_process_that_started_them_is_killed(
    tiny_suite, tiny_entry, tmp_path
):
    arguments = [
        "run",
        "--suite",
        str(tiny_suite),
        "--out",
        str(tmp_path),
        "--device",
        "cpu",
        "--set",
        "environment_steps=20000",
    ]
    run = [sys.executable, "-P", "-m", "harness.cli", *arguments]
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not list(tmp_path.glob("*/runs/cartpole-swingup/dense/0/records.jsonl")):
            time.sleep(0.05)
        time.sleep(1.0)
        process.kill()
    lease = next(tmp_path.glob("*/cohorts/0/lease"))
    deadline = time.monotonic() + 30
    with open(lease) as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < deadline, "the cohort went on without its parent"
                time.sleep(0.1)
    assert list(lease.parent.glob("checkpoint/*.json")), (lease.parent / "log.txt").read_text()


def test_without_room_it_says_so_and_goes_on_when_there_is_some(fresh, tiny_entry):
    """A limit on file size stands for a full disk: records, rows or states break off midway."""
    uncovered = {
        name: value for name, value in os.environ.items() if not name.startswith("COV")
    }  # it writes files too
    for room in (2_000, 60_000):
        limited = ["prlimit", f"--fsize={room}", *command(fresh)]
        failed = subprocess.run(limited, capture_output=True, text=True, env=uncovered)
        assert failed.returncode == 3, failed.stderr
        assert "make room and give the same command again" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert not list(fresh.rglob(".*")), "no half-written file is left"
    carry_out(fresh)
    assert promised(fresh) == results(tiny_entry)


def test_a_written_state_is_what_it_was(tmp_path):
    state = {
        "a": torch.arange(5),
        "b": [None, True, 1.5, "x", {"c/d": torch.zeros(0, 3)}],
        "e": {},
        "f": torch.tensor(2.5),
    }
    digest = write_state(tmp_path / "state", state)
    assert digest == digest_file(tmp_path / "state")
    restored = read_state(tmp_path / "state")
    assert torch.equal(restored["a"], state["a"])
    assert restored["b"][:4] == state["b"][:4]
    assert restored["b"][4]["c/d"].shape == (0, 3)
    assert restored["e"] == {}
    assert torch.equal(restored["f"], state["f"])


def test_rows_after_the_last_checkpoint_never_happened(tmp_path):
    checkpoints = Checkpoints(tmp_path, 1, {"code": "x"})
    checkpoints.write(1, {"n": 1}, [torch.ones(3, 2)])
    with open(tmp_path / "rows-0.bin", "ab") as file:
        file.write(b"half a ro")
    again = Checkpoints(tmp_path, 1, {"code": "x"})
    checkpoint, drifted = again.read(allow_drift=False)
    assert (checkpoint.step, checkpoint.state, drifted) == (1, {"n": 1}, False)
    again.write(2, {"n": 2}, [torch.full((1, 2), 5.0)])
    checkpoint, _ = Checkpoints(tmp_path, 1, {"code": "x"}).read(allow_drift=False)
    assert checkpoint.rows[0].tolist() == [[1, 1], [1, 1], [1, 1], [5, 5]]
    assert Path(tmp_path / "1.json").exists(), "the one before is kept"


def test_a_small_buffer_that_wraps_between_checkpoints_resumes_to_the_same_bytes(
    tmp_path, monkeypatch
):
    """Ninety agent steps fit between two checkpoints, and sixty rows into the buffer."""
    suite = tmp_path / "small.yaml"
    small = TINY.replace("warmup: 40,", "warmup: 40, buffer_size: 60,")
    suite.write_text(small.replace("[dense, sst, dst, mst]", "[mst]"))
    request = Request(str(suite), tmp_path / "out", executor="inline")
    unbroken = Path(execute(request, one_use_key()).summary.folder)

    folder = tmp_path / "stopped" / unbroken.name
    folder.mkdir(parents=True)
    for name in ("plan.json", "cohorts.json"):
        shutil.copy(unbroken / name, folder / name)
    stop_at(monkeypatch, [10, 90])
    for _ in range(2):
        with pytest.raises(Incomplete):
            carry_out(folder)
    carry_out(folder)
    expected = {name: data for name, data in promised(unbroken).items() if name != "results.csv"}
    assert promised(folder) == expected
