"""Stopped or killed at any moment, a run ends with the bytes of the unbroken one."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from harness.entries import ranking
from harness.errors import Incomplete, NonConforming, UserError
from harness.files import Files, digest_file
from harness.machine import provenance
from harness.planning.plan import read_plan
from harness.training.checkpoint import Checkpoints
from harness.training.lease import newest
from harness.training.state_file import read_state, write_state
from helpers.program import command
from helpers.runs import (
    carry_out,
    cohort_command,
    finished_run,
    made_once,
    newest_checkpoint,
    planned_copy,
    promised,
    promised_of_cohorts,
    stop_after,
)
from helpers.suites import TINY

KILLS = int(os.environ.get("MST_BENCH_TEST_KILLS", "1"))
"""Moments of death that the kill test tries; set the variable for a longer hunt."""


STOPS = (1, 39, 1, 19, 29)
"""Agent steps of each attempt: before and at the end of warm-up, then between and at target copies,
rewires and evaluations."""


def test_stopped_and_resumed_many_times_it_ends_with_the_same_bytes(fresh, tiny_entry, monkeypatch):
    stop_after(monkeypatch, STOPS)
    for _ in STOPS:
        with pytest.raises(Incomplete):
            carry_out(fresh)
    carry_out(fresh)
    assert promised(fresh) == promised_of_cohorts(tiny_entry.parent)

    timing = json.loads((fresh / "runs/cartpole-swingup/mst/0/timing.json").read_bytes())
    assert timing["resumes"] == len(STOPS)
    left = list((fresh / "cohorts/0/checkpoint").iterdir())
    assert not left, "a finished cohort keeps no checkpoint"


def test_killed_at_random_moments_it_ends_with_the_same_bytes(fresh, tiny_entry):
    """SIGKILL, with a checkpoint after every agent step: many deaths fall into the writing."""
    moments = random.Random(7)
    killed = 0
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    while killed < KILLS:
        with subprocess.Popen(cohort_command(fresh), **quiet) as process:
            before = newest_checkpoint(fresh)
            while newest_checkpoint(fresh) == before and process.poll() is None:
                time.sleep(0.005)
            time.sleep(moments.uniform(0.0, 0.4))
            if process.poll() is not None:
                shutil.rmtree(fresh / "runs")  # it finished first: begin again
                continue
            process.send_signal(signal.SIGKILL)
            killed += 1

    assert subprocess.run(cohort_command(fresh)).returncode == 0
    assert promised(fresh) == promised_of_cohorts(tiny_entry.parent)


@pytest.fixture(scope="session")
def broken_off(tiny_entry, shared):
    """A folder whose cohort was stopped twice, so that it has two checkpoints."""

    def make():
        folder = planned_copy(tiny_entry.parent, shared / "broken-off")
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, [55, 30])
            for _ in range(2):
                with pytest.raises(Incomplete):
                    carry_out(folder)
        return folder

    return made_once(shared, "broken-off-folder", make)


@pytest.fixture
def interrupted(broken_off, tmp_path):
    """A copy of it."""
    return shutil.copytree(broken_off, tmp_path / broken_off.name)


def test_a_broken_checkpoint_is_passed_over_for_the_one_before(interrupted, tiny_entry):
    state = interrupted / "cohorts/0/checkpoint/2.safetensors"
    state.write_bytes(state.read_bytes()[:-7] + b"garbage")
    carry_out(interrupted)
    assert promised(interrupted) == promised_of_cohorts(tiny_entry.parent)


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

    # The last one, to which no other record is chained.
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

    # Allowed, it is recorded, and nothing of it is ranked.
    carry_out(interrupted, allow_drift=True)
    timing = json.loads((interrupted / "runs/cartpole-swingup/mst/0/timing.json").read_bytes())
    assert timing["drifted"] is True
    reasons = ranking.unranked_because(read_plan(interrupted / "plan.json"), drifted=True)
    assert "code or libraries changed" in reasons[0]


def test_max_wall_saves_and_is_incomplete(fresh):
    with pytest.raises(Incomplete, match="--max-wall is over"):
        carry_out(fresh, max_wall=0.0)
    assert newest_checkpoint(fresh) == 1


def test_two_processes_do_not_carry_out_one_cohort(fresh):
    with subprocess.Popen(cohort_command(fresh), stderr=subprocess.DEVNULL) as process:
        while not newest_checkpoint(fresh):
            time.sleep(0.01)
        second = subprocess.run(cohort_command(fresh), capture_output=True, text=True)
        process.kill()
    assert second.returncode == 3
    assert "another process is carrying out this cohort" in second.stderr


def test_cohorts_save_and_stop_when_the_process_that_started_them_is_killed(tiny_suite, tmp_path):
    arguments = ("run", "--suite", tiny_suite, "--out", tmp_path, "--device", "cpu")
    long_run = command(*arguments, "--set", "environment_steps=20000")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(long_run, **quiet) as process:
        while not list(tmp_path.glob("*/runs/cartpole-swingup/dense/0/records.jsonl")):
            time.sleep(0.05)
        time.sleep(1.0)
        process.kill()

    # Its cohort lets the lease go, and has saved.
    leases = next(tmp_path.glob("*/cohorts/0/leases"))
    deadline = time.monotonic() + 30
    while newest(leases).heartbeat is not None:
        assert time.monotonic() < deadline, "the cohort went on without its parent"
        time.sleep(0.1)
    assert list(leases.parent.glob("checkpoint/*.json")), (leases.parent / "log.txt").read_text()


@pytest.mark.slow
def test_without_room_it_says_so_and_goes_on_when_there_is_some(fresh, tiny_entry):
    """A limit on file size stands for a full disk: records, rows or states break off midway."""
    # Coverage writes files too.
    uncovered = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    for room in (2_000, 60_000):
        limited = ["prlimit", f"--fsize={room}", *cohort_command(fresh)]
        failed = subprocess.run(limited, capture_output=True, text=True, env=uncovered)
        assert failed.returncode == 3, failed.stderr
        assert "make room and give the same command again" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert not list(fresh.rglob(".*")), "no half-written file is left"

    carry_out(fresh)
    assert promised(fresh) == promised_of_cohorts(tiny_entry.parent)


def test_a_written_state_is_what_it_was(tmp_path):
    state = {
        "a": torch.arange(5),
        "b": [None, True, 1.5, "x", {"c/d": torch.zeros(0, 3)}],
        "e": {},
        "f": torch.tensor(2.5),
    }

    digest = write_state(tmp_path / "state", state, Files())
    assert digest == digest_file(tmp_path / "state")
    restored = read_state(tmp_path / "state")
    assert torch.equal(restored["a"], state["a"])
    assert restored["b"][:4] == state["b"][:4]
    assert restored["b"][4]["c/d"].shape == (0, 3)
    assert restored["e"] == {}
    assert torch.equal(restored["f"], state["f"])


def test_rows_after_the_last_checkpoint_never_happened(tmp_path):
    checkpoints = Checkpoints(tmp_path, 1, {"code": "x"}, Files())
    checkpoints.write(1, {"n": 1}, [torch.ones(3, 2)])
    (rows,) = tmp_path.glob("rows-0-*.bin")
    with open(rows, "ab") as file:
        file.write(b"half a ro")
    (tmp_path / "rows-0-00000000.bin").write_bytes(b"of an attempt that was killed")
    again = Checkpoints(tmp_path, 1, {"code": "x"}, Files())
    checkpoint, drifted = again.read(allow_drift=False)
    assert (checkpoint.step, checkpoint.state, drifted) == (1, {"n": 1}, False)
    again.write(2, {"n": 2}, [torch.full((1, 2), 5.0)])
    assert len(list(tmp_path.glob("rows-0-*.bin"))) == 2
    checkpoint, _ = Checkpoints(tmp_path, 1, {"code": "x"}, Files()).read(allow_drift=False)
    assert checkpoint.rows[0].tolist() == [[1, 1], [1, 1], [1, 1], [5, 5]]
    assert Path(tmp_path / "1.json").exists(), "the one before is kept"


@pytest.mark.slow
def test_a_small_buffer_that_wraps_between_checkpoints_resumes_to_the_same_bytes(
    tmp_path, monkeypatch
):
    """Ninety agent steps fit between two checkpoints, and sixty rows into the buffer."""
    suite = tmp_path / "small.yaml"
    small = TINY.replace("warmup: 40,", "warmup: 40, buffer_size: 60,")
    suite.write_text(small.replace("[dense, sst, dst, mst]", "[mst]"))
    unbroken = finished_run(suite, tmp_path / "out").parent

    folder = planned_copy(unbroken, tmp_path / "stopped")
    stop_after(monkeypatch, [10, 90])
    for _ in range(2):
        with pytest.raises(Incomplete):
            carry_out(folder)
    carry_out(folder)
    assert promised(folder) == promised_of_cohorts(unbroken)
