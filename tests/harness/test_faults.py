"""Faults of the environment library and of processes: what each becomes; no result is lost by it.

Faults are real where the library offers them (an environment id out of range, too few rows). They
happen inside the worker, through a module that Python loads at its start; nothing in the project
knows of it.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest

from envs.pool import Pool
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker, serve
from harness.entries import manifest
from harness.entries.entry import stated_runs
from harness.errors import Incomplete
from harness.planning.plan import read_plan
from helpers.program import command
from helpers.runs import carry_out, newest_checkpoint, promised, promised_of_cohorts
from leaderboard.verification.verify import verify

TASK = TASKS["cartpole-swingup"]
TIMES = int(os.environ.get("MST_BENCH_TEST_FAULTS", "1"))
"""How often all faults are injected into a run; at random moments from the second run on."""
FAULTS = {
    "segfault": (
        "self._pool.send(np.zeros((1, 1)), np.array([1 << 20], dtype=np.int32)); time.sleep(5)"
    ),
    "abort": "self._pool.send(np.zeros((1, 1)), np.arange(4, dtype=np.int32)); time.sleep(5)",
    "exit": "os.write(2, b'ERROR: could not initialize\\n'); ctypes.CDLL(None).exit(1)",
    "killed": "os.kill(os.getpid(), 9)",
    "hang": "time.sleep(3600)",
}
"""What the pool does instead of its step, as code with the pool as `self`.

It reaches into the pool, because only EnvPool's own arguments break it natively."""
SAID = {
    "segfault": "was ended by SIGSEGV",
    "abort": "was ended by SIGABRT",
    "exit": "ended with exit code 1 (ERROR: could not initialize)",
    "killed": "was ended by SIGKILL",
    "hang": "gave no answer for 10 s",
}
INJECTED = """
import sys
if "envs.worker" in sys.orig_argv:
    import ctypes, os, pathlib, time
    import numpy as np
    from envs.pool import Pool
    recv = Pool.recv

    def faulty(self):
        steps = sum(len(actions) for actions in self._actions[:1])
        planned = sorted(pathlib.Path({folder!r}).glob("*.fault"))
        if self.auto_reset and planned and steps + 1 >= int(planned[0].name.split("-")[0]):
            code = planned[0].read_text()
            planned[0].unlink()
            exec(code)
        return recv(self)

    Pool.recv = faulty
"""


@pytest.fixture
def inject(tmp_path, monkeypatch):
    """Plans faults of the training environments: (agent step, fault), each once."""
    folder = tmp_path / "injected"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(INJECTED.format(folder=str(folder)))
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)

    def plan(faults):
        for number, (step, fault) in enumerate(faults):
            (folder / f"{step:04}-{number:04}.fault").write_text(FAULTS[fault])

    return plan


def recorded_faults(folder):
    """The faults of cohort 0, oldest first."""
    return json.loads((folder / "cohorts/0/faults.json").read_bytes())["faults"]


def test_faults_of_the_environments_are_retried_and_lose_nothing(fresh, tiny_entry, inject):
    draw = random.Random(1)
    for trial in range(TIMES):
        # Each fault once: the first time in a row, then at random moments.
        kinds = draw.sample(list(FAULTS), len(FAULTS)) if trial else list(FAULTS)
        steps = sorted(draw.sample(range(1, 121), len(FAULTS))) if trial else range(20, 120, 20)
        inject(zip(steps, kinds, strict=True))
        carry_out(fresh, watchdog_seconds=10.0, checkpoint_seconds=0.2, retries=len(FAULTS))
        assert promised(fresh) == promised_of_cohorts(tiny_entry.parent)

        # Each is recorded with its step and its reason.
        faults = recorded_faults(fresh)
        assert [fault["agent_step"] for fault in faults] == [step - 1 for step in steps]
        for recorded, fault in zip(faults, kinds, strict=True):
            assert SAID[fault] in recorded["reason"]
        for name in ("runs", "cohorts"):
            shutil.rmtree(fresh / name)


@contextlib.contextmanager
def whole_run(suite, out, *more):
    """A process of `mst-bench run` that writes a checkpoint after every agent step."""
    arguments = ("run", "--suite", suite, "--out", out, "--device", "cpu", *more)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command(*arguments, "--checkpoint-seconds", "0"), **pipes) as process:
        yield process


def trainer(process):
    """The process that trains the one cohort of a run, once its first checkpoint is there."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    return int(open(children).read().split()[0])


@pytest.mark.slow
def test_a_training_process_that_is_killed_is_started_again(tiny_suite, tiny_entry, tmp_path):
    with whole_run(tiny_suite, tmp_path) as process:
        while not any(newest_checkpoint(folder) >= 20 for folder in tmp_path.glob("*")):
            time.sleep(0.01)
        os.kill(trainer(process), signal.SIGKILL)
        out, errors = process.communicate()
    assert process.returncode == 0, errors

    # The bytes are those of an untroubled run; the fault is recorded and said.
    (folder,) = tmp_path.glob("*")
    assert promised(folder) == promised(tiny_entry.parent)
    (fault,) = recorded_faults(folder)
    assert fault["reason"] == "its process was ended by SIGKILL"
    assert json.loads((folder / "cohorts/0/ending.json").read_bytes())["kind"] == "finished"
    assert json.loads((folder / "manifest.json").read_bytes())["faults"] == 1
    assert "infrastructure faults on the way: 1" in out
    assert "accepted" in out


@pytest.mark.slow
def test_a_fault_that_stays_is_reported_and_the_next_try_goes_on(
    tiny_suite, tiny_entry, tmp_path, inject
):
    """Its runs stay in the denominator of a valid entry.

    The same command, without the fault, ends as if untroubled.
    """
    inject([(50, "abort")] * 2)
    with whole_run(tiny_suite, tmp_path, "--retries", "1") as process:
        _, errors = process.communicate()
    assert process.returncode == 3

    # What is said and recorded.
    assert "Traceback" not in errors
    last = errors.splitlines()[-1]
    assert last.startswith("mst-bench: cohort 0: the environments' process was ended by SIGABRT")
    assert "gave up after 1 retry" in last
    assert last.endswith("What was saved is whole. The same command resumes.")
    folder = next(tmp_path.glob("*/plan.json")).parent
    assert len(recorded_faults(folder)) == 2
    ending = json.loads((folder / "cohorts/0/ending.json").read_bytes())
    assert (ending["code"], ending["kind"]) == (3, "fault")

    # The entry counts what is missing, and why.
    runs = stated_runs(folder, read_plan(folder / "plan.json"))
    assert {(run.status, run.failure.kind) for run in runs} == {("missing", "infrastructure")}
    verdict = verify(folder / "entry.dsse.json")
    assert verdict.accepted
    counted = next(check.detail for check in verdict.checks if check.name == "runs")
    assert counted == "0 finished, 0 failed, 4 missing"

    # So does its page: the records are there, but not signed.
    page = (folder / "report.html").read_text()
    assert "4 missing" in page
    assert "No evaluation of these runs is recorded and signed yet." in page

    with whole_run(tiny_suite, tmp_path) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    assert "infrastructure faults on the way: 2" in out
    assert promised(folder) == promised(tiny_entry.parent)


def test_a_fault_while_the_entry_is_made_keeps_all_results(fresh, tiny_entry, monkeypatch):
    shutil.copytree(tiny_entry.parent / "runs", fresh / "runs")

    def broken(task, worker):
        os.kill(worker.pid, signal.SIGKILL)
        return worker.pool(task, [[1]])

    monkeypatch.setattr(manifest, "fingerprint", broken)
    with pytest.raises(
        Incomplete,
        match="no fingerprint could be taken: the environments' process was ended by SIGKILL",
    ):
        manifest.manifest(fresh, read_plan(fresh / "plan.json"), 0.0, "mst-bench")


def test_a_watched_pool_gives_the_numbers_of_a_pool():
    with Worker(patience=120.0) as worker:
        watched, plain = worker.pool(TASK, [[3], [4]]), Pool(TASK, [[3], [4]])
        assert np.array_equal(watched.reset(), plain.reset())
        for action in np.random.RandomState(1).uniform(-1, 1, (20, 2, 1, 1)):
            step, expected = watched.step(action), plain.step(action)
            assert np.array_equal(step.observation, expected.observation)
            assert np.array_equal(step.reward, expected.reward)

        # A cursor carries over to another pool.
        again = worker.pool(TASK, [[3], [4]])
        assert np.array_equal(again.restore(watched.cursor), step.observation)
        forward = np.ones((2, 1, 1))
        expected = plain.step(forward)
        assert np.array_equal(again.step(forward).observation, expected.observation)

        # So do refusals.
        with pytest.raises(ValueError, match="actions have shape"):
            watched.step(np.zeros((2, 1, 7)))
        with pytest.raises(ValueError, match="seeds are"):
            worker.pool(TASK, [[-1]])


def test_signals_to_every_process_of_a_job_leave_the_environments_alone():
    """Slurm warns and ends a job so: the process that trains saves first, which takes a step."""
    with Worker(patience=120.0) as worker:
        pool = worker.pool(TASK, [[1]])
        pool.reset()
        for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT):
            os.kill(worker.pid, number)
        assert pool.step(np.zeros((1, 1, 1))).reward.shape == (1, 1)


def test_after_a_fault_a_worker_keeps_saying_so_and_its_end_leaves_no_process():
    with Worker(patience=120.0) as worker:
        pool = worker.pool(TASK, [[1]])
        os.kill(worker.pid, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(EnvironmentFault, match="ended by SIGKILL"):
                pool.reset()

    # One that nobody holds any more.
    forgotten = Worker(patience=120.0)
    process = Path(f"/proc/{forgotten.pid}")
    assert process.exists()
    del forgotten
    assert not process.exists()


def test_what_the_worker_answers():
    """In a thread, so that the lines which otherwise run in a killed process are seen to run."""
    ours, theirs = Pipe()
    thread = threading.Thread(target=serve, args=(theirs,))
    thread.start()

    def call(*message):
        """The answer to a message to pool 5."""
        ours.send((5, *message))
        return ours.recv()

    assert call("make", TASK, ((1,),), 2, None, True) == (True, None)
    fine, seen = call("reset")
    assert fine and np.array_equal(seen, Pool(TASK, [[1]]).reset())
    assert call("cursor")[1].resets == (1,)
    fine, text = call("step", np.zeros((3, 3)), None)
    assert not fine and "actions have shape" in text
    assert call("close") == (True, None)
    ours.close()
    thread.join()
