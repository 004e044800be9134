"""ending.json: how a cohort ended, as its executor reads it; nothing is read out of a log."""

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from harness.errors import Incomplete, Interrupted, NonConforming, RetriesExhausted, UserError
from harness.executors import supervise
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.training.ending import Ending, ending, ending_of_process, forget, recorded
from harness.training.lease import Watch, lease
from helpers.runs import carry_out, cohort_command, newest_checkpoint
from leaderboard.formats.run import Run

LIE = "mst-bench: the dog ate it.\n"
"""A last line of a log, as a program under test may print it."""


@pytest.fixture
def cohort(tmp_path):
    """The folder of a cohort, with a log that lies."""
    folder = Folder(tmp_path).cohort(0)
    folder.path.mkdir(parents=True)
    folder.log.write_text(LIE)
    return folder


def stated(cohort):
    """The document that ending.json is."""
    return json.loads(cohort.ending.read_bytes())


def test_a_finished_cohort_says_so(cohort):
    with recorded(cohort):
        assert not cohort.ending.exists()
    assert stated(cohort) == {
        "schema": "urn:mst-bench:ending:v1",
        "code": 0,
        "kind": "finished",
        "reason": "",
    }


@pytest.mark.parametrize(
    ("error", "code", "ending_kind", "reason"),
    [
        (Incomplete("no time.", "The same command resumes."), 3, "incomplete", "no time."),
        (RetriesExhausted("gave up.", "Again."), 3, "fault", "gave up."),
        (Interrupted("stopped.", "Again."), 130, "interrupted", "stopped."),
        (NonConforming("no card."), 7, "nonconforming", "no card."),
        (UserError("no such file."), 2, "user error", "no such file."),
        (ZeroDivisionError("by zero"), 1, "internal", "ZeroDivisionError: by zero."),
        (OSError(28, "No space left", "x"), 3, "incomplete", "x: No space left."),
        (OSError(13, "Permission denied", "x"), 1, "internal", "PermissionError:"),
        (KeyboardInterrupt(), 130, "interrupted", "stopped before everything was saved."),
    ],
)
def test_each_way_to_end_is_read_back_by_the_executor(cohort, error, code, ending_kind, reason):
    with pytest.raises(type(error)), recorded(cohort):
        raise error
    read = ending_of_process(cohort, code)
    assert (read.code, read.kind) == (code, ending_kind)
    assert read.reason.startswith(reason)
    assert "resumes" not in read.reason, "the advice is the command's, said once"


def test_a_log_that_lies_changes_nothing(cohort):
    assert ending_of_process(cohort, 1) == ending(
        1, "internal", "its process ended with exit code 1."
    )
    with recorded(cohort):
        pass
    assert ending_of_process(cohort, 0).kind == "finished"


@pytest.mark.parametrize(
    ("code", "ending_kind"),
    [(2, "user error"), (3, "incomplete"), (7, "nonconforming"), (130, "interrupted")],
)
def test_without_an_ending_the_exit_code_says_what_it_was_and_the_log_why(
    cohort, code, ending_kind
):
    assert ending_of_process(cohort, code) == ending(
        code,
        ending_kind,
        f"its process ended with exit code {code}, and its output is in {cohort.log}.",
    )


def test_a_cohort_that_another_process_took_is_incomplete_not_a_bug(fresh):
    cohort = Folder(fresh).cohort(0)
    with lease(cohort.leases, seconds=1.0):
        code = subprocess.run(cohort_command(fresh), stderr=subprocess.DEVNULL).returncode
    assert ending_of_process(cohort, code).kind == "incomplete"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema":"urn:mst-bench:ending:v0","code":3,"kind":"fault","reason":"x"}',
        '{"schema":"urn:mst-bench:ending:v1","code":3,"kind":"tired","reason":"x"}',
    ],
)
def test_an_ending_that_was_edited_is_as_good_as_none(cohort, text):
    without = ending_of_process(cohort, 3)
    cohort.ending.write_text(text)
    assert ending_of_process(cohort, 3) == without
    assert without.kind == "incomplete"


def test_an_ending_with_another_exit_code_is_not_believed(cohort):
    with pytest.raises(Incomplete), recorded(cohort):
        raise Incomplete("no time.")
    assert ending_of_process(cohort, 1).reason == "its process ended with exit code 1."


def test_an_earlier_ending_is_gone_before_the_next_attempt(cohort):
    with recorded(cohort):
        pass
    watch = Watch(cohort.leases)
    assert watch.look() == "free"
    assert forget(cohort, watch)
    assert not cohort.ending.exists()


def test_the_ending_of_whoever_has_the_cohort_is_left_alone(cohort):
    watch = Watch(cohort.leases)
    assert watch.look() == "free"
    with recorded(cohort, 1.0):
        assert not forget(cohort, watch), "somebody was faster"
        with pytest.raises(Incomplete, match="another process is carrying out"), recorded(cohort):
            raise AssertionError
        assert not cohort.ending.exists()
    assert stated(cohort)["kind"] == "finished"


def test_a_cohort_that_is_killed_leaves_no_ending_and_the_next_one_does(fresh):
    cohort = Folder(fresh).cohort(0)
    with pytest.raises(Incomplete):
        carry_out(fresh, max_wall=0.0)
    assert stated(cohort)["kind"] == "incomplete"
    assert "--max-wall is over" in stated(cohort)["reason"]

    # Killed: the ending of the attempt before is gone, and there is no other.
    with training_process(fresh) as process:
        process.send_signal(signal.SIGKILL)
    assert not cohort.ending.exists()

    # Interrupted: it says so.
    with training_process(fresh) as process:
        process.send_signal(signal.SIGINT)
    assert (process.returncode, stated(cohort)["kind"]) == (130, "interrupted")


@contextmanager
def training_process(folder):
    """A process that has just written a checkpoint of cohort 0."""
    before = newest_checkpoint(folder)
    with subprocess.Popen(cohort_command(folder), stderr=subprocess.DEVNULL) as process:
        while newest_checkpoint(folder) == before:
            assert process.poll() is None, "it ended without a checkpoint"
            time.sleep(0.005)
        yield process


def test_what_goes_wrong_before_training_is_in_the_ending_too(fresh):
    without_card = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    arguments = [*cohort_command(fresh), "--device", "cuda"]
    assert subprocess.run(arguments, env=without_card).returncode == 7
    cohort = Folder(fresh).cohort(0)
    assert stated(cohort)["kind"] == "nonconforming"
    assert "--device cuda" in stated(cohort)["reason"]


class Carrier:
    """Ends at once, as it is told."""

    def __init__(self, how):
        """`how`: its ending."""
        self.how = how

    def ending(self):
        """At once."""
        return self.how

    def ask(self):
        """Never needed."""

    def kill(self):
        """Never needed."""

    def join(self):
        """Never needed."""


def supervised(folder, *endings, retries=1):
    """The errors of one cohort that ends in these ways, one after the other, by code and words."""
    remaining = list(endings)
    errors = supervise.supervise(
        folder,
        [Cohort(0, "cartpole-swingup", (Run("cartpole-swingup", "dense", 0),))],
        Options(device="cpu", retries=retries),
        lambda cohort, slot, options: Carrier(remaining.pop(0)),
    )
    return [(error.code, error.reason) for error in errors], remaining


KILLED = ending(-9, "killed", "its process was ended by SIGKILL.")
GAVE_UP = (
    "cohort 0: its process was ended by SIGKILL; gave up after 1 retry. What was saved is whole."
)


@pytest.mark.parametrize(
    ("endings", "reasons"),
    [
        ([ending(0, "finished")], []),
        ([KILLED, ending(0, "finished")], []),
        ([KILLED, KILLED], [(3, GAVE_UP)]),
        ([ending(3, "fault", "gave up.")], [(3, "cohort 0: gave up.")]),
        ([ending(7, "nonconforming", "no card.")], [(7, "cohort 0: no card.")]),
        ([ending(2, "user error", "broken.")], [(2, "cohort 0: broken.")]),
    ],
)
def test_only_what_was_killed_is_started_again(tmp_path, endings, reasons):
    assert supervised(tmp_path, *endings) == (reasons, [])


def test_after_a_bug_the_sentence_names_the_output(tmp_path):
    (error,), _ = supervised(tmp_path, ending(1, "internal", "ZeroDivisionError: by zero."))
    log = Folder(tmp_path).cohort(0).log
    assert error == (1, f"cohort 0: ZeroDivisionError: by zero. Its output is in {log}.")


def test_a_cohort_that_another_process_has_is_not_started(tmp_path):
    with lease(Folder(tmp_path).cohort(0).leases, seconds=1.0):
        ((code, sentence),), remaining = supervised(tmp_path, Ending("", 0, "finished", ""))
    assert code == 3
    assert "another process is carrying out this cohort" in sentence
    assert len(remaining) == 1


def test_what_another_engine_finished_is_no_error(tmp_path):
    """One that lost a cohort, or found it held, may see its results before it ends."""
    result = Folder(tmp_path).run(Run("cartpole-swingup", "dense", 0)).result
    result.parent.mkdir(parents=True)
    result.touch()
    assert supervised(tmp_path, ending(3, "incomplete", "lost.")) == ([], [])
