"""Ctrl-C: what it says at once, what it keeps, and what is shown after the next start."""

import io
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from harness.errors import Incomplete, Interrupted
from harness.executors.supervise import supervise
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import read_cohorts
from harness.training import progress as progress_module
from harness.training.checkpoint import saved_step
from harness.training.interruption import kept, saving
from harness.training.progress import Writer, line, read_progress
from helpers.program import command
from helpers.runs import carry_out

SLOW_STEPS = ("environment_steps=200000", "settings.width=1024", "settings.batch_size=256")
"""An agent step that learns takes seconds: a second Ctrl-C comes before it ends."""


@contextmanager
def training(suite, out, executor, *overrides):
    """`mst-bench run` in a process that has begun to learn."""
    arguments = ["--suite", suite, "--executor", executor, "--device", "cpu", "--out", out]
    for override in overrides:
        arguments += ["--set", override]
    with subprocess.Popen(
        command(*arguments),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # a job in the background ignores the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while not any(read_step(path) > 0 for path in out.glob("*/cohorts/0/progress.json")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        yield process


def read_step(path):
    """The step that a progress file states."""
    return json.loads(path.read_bytes())["step"]


def next_line(process, words):
    """The next line on stderr that holds these words."""
    for text in process.stderr:
        if words in text:
            return text
    raise AssertionError(words)


EXECUTORS = ["inline", pytest.param("local", marks=pytest.mark.slow)]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_first_ctrl_c_says_at_once_what_a_second_one_loses_and_saves(
    tiny_suite, tmp_path, executor
):
    with training(tiny_suite, tmp_path, executor, "environment_steps=200000") as process:
        process.send_signal(signal.SIGINT)
        assert "once more stops now and loses about" in next_line(process, "saving")
        assert "everything is saved" in next_line(process, "stopped")
    assert process.returncode == 130
    (folder,) = tmp_path.iterdir()
    assert saved_step(Folder(folder).cohort(0).checkpoint) >= read_progress(folder, 0).step > 0


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_second_ctrl_c_says_what_is_lost_and_claims_nothing_else(tiny_suite, tmp_path, executor):
    """It used to say "stopped; everything is saved" of a run whose newest checkpoint was hundreds
    of steps old."""
    with training(tiny_suite, tmp_path, executor, *SLOW_STEPS) as process:
        process.send_signal(signal.SIGINT)
        next_line(process, "saving")
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "there is no checkpoint yet, about" in rest
    assert "are lost" in rest
    assert "stopped; everything is saved" not in rest
    assert "Traceback" not in rest


class Hasty:
    """A carrier of somebody who presses Ctrl-C while it runs, and again while it is asked."""

    def __init__(self):
        self.asked = self.killed = False

    def ending(self):
        if not self.asked:
            raise KeyboardInterrupt

    def ask(self):
        self.asked = True
        raise KeyboardInterrupt

    def kill(self):
        self.killed = True

    def join(self):
        assert self.killed


def test_a_second_ctrl_c_may_come_while_the_first_is_passed_on(fresh):
    carrier = Hasty()
    cohorts = list(read_cohorts(fresh).cohorts)
    with pytest.raises(Interrupted, match="stopped"):
        supervise(fresh, cohorts, Options(), lambda *_: carrier)
    assert carrier.killed


def test_ctrl_c_before_the_program_is_loaded_is_no_traceback():
    script = (
        "import signal, sys; from harness.cli.start import main; sys.argv = ['m'];"
        "signal.signal(signal.SIGALRM, signal.default_int_handler);"
        "signal.setitimer(signal.ITIMER_REAL, 0.01); main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) in [(130, "mst-bench: interrupted.\n"), (0, "")]


def test_the_sentences():
    assert saving([1302]) == "saving; once more stops now and loses about 1,302 agent steps"
    assert saving([1]).endswith("loses about 1 agent step")
    assert saving([5, 8]) == (
        "saving 2 cohorts; once more stops now and loses up to 8 agent steps of each"
    )
    assert kept(1013, 468, 20000) == (
        "the newest checkpoint holds 1,013 of 20,000 agent steps, about 468 agent steps since are"
        " lost"
    )


def test_a_resumed_cohort_shows_the_restored_step_from_the_beginning(fresh, monkeypatch):
    """It used to show step 0 until the first second of training was over, as if all was lost."""
    with pytest.raises(Incomplete):
        carry_out(fresh, max_wall=0.0)
    restored = saved_step(Folder(fresh).cohort(0).checkpoint)
    assert restored > 0

    steps = []
    monkeypatch.setattr(
        progress_module, "write_json", lambda path, document: steps.append(document["step"])
    )
    with pytest.raises(Incomplete):
        carry_out(fresh, max_wall=0.0)
    assert min(steps) == restored


def test_a_resumed_cohort_that_learns_promises_no_time_before_it_measured_any(tmp_path):
    path = tmp_path / "0" / "progress.json"
    writer = Writer(path, total=1000, warmup=10, expected_seconds=14.3)
    writer(500)
    assert json.loads(path.read_bytes())["seconds_left"] == -1


def test_the_last_step_of_a_cohort_is_followed_by_its_evaluation(fresh):
    (cohort,) = read_cohorts(fresh).cohorts
    Writer(Folder(fresh).cohort(0).progress, total=120, warmup=10, expected_seconds=1.0)(120)
    assert line(fresh, cohort, running=True).endswith("evaluating the final policies")

    progress = Folder(fresh).cohort(0).progress
    Writer(progress, total=120, warmup=10, expected_seconds=99.0, final_seconds=90.0)(120)
    assert line(fresh, cohort, running=True).endswith("policies, about 1.5 min (estimate)")


def test_the_final_evaluation_counts_in_the_time_that_is_left(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    now = iter(range(100))
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: float(next(now)))
    writer = Writer(path, total=40, warmup=1, expected_seconds=99.0, final_seconds=30.0)
    for step in range(2, 11):
        writer(step)
    assert json.loads(path.read_bytes())["seconds_left"] == -1, "the first step is no measure"
    for step in range(11, 21):
        writer(step)
    assert json.loads(path.read_bytes())["seconds_left"] == pytest.approx(20.0 + 30.0)


def test_lines_of_progress_are_one_line_each(fresh, monkeypatch):
    display = progress_module.Display(fresh, list(read_cohorts(fresh).cohorts))
    display.console.file = io.StringIO()
    display.say("cohort 0: x\n::error::[red]forged")
    assert display.console.file.getvalue() == "cohort 0: x\\n::error::[red]forged\n"
