"""A cohort as the program that began it holds it, with a stand-in for Ray's task."""

import threading
import time

import pytest

from harness.errors import Incomplete
from harness.executors import ray, sealing
from harness.executors.ray_cohort import RayCohort
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import read_cohorts
from harness.planning.plan import read_plan

SECONDS = 30.0


class Remote:
    """A task that has room on a node, and answers nothing."""

    def __init__(self):
        self.room = True
        self.killed = 0

    def placed(self):
        return self.room

    def begin(self, watch):
        while True:
            watch()
            time.sleep(0.001)

    def kill(self):
        self.killed += 1


@pytest.fixture
def cohort_of(fresh):
    """Makes a cohort that a remote carries out."""
    (cohort,) = read_cohorts(fresh).cohorts
    Folder(fresh).cohort(cohort.index).path.mkdir(parents=True)
    return lambda remote: RayCohort(fresh, cohort, remote, Options(device="cpu"))


def ended(carrier):
    """Its ending, once its thread is over."""
    deadline = time.monotonic() + SECONDS
    while (how := carrier.ending()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return how


def test_a_log_that_cannot_be_opened_is_the_end_of_its_cohort(fresh, cohort_of):
    """The thread died with it, and the command waited for it for ever."""
    remote = Remote()
    log = Folder(fresh).cohort(0).log
    log.symlink_to(fresh / "elsewhere")
    how = ended(cohort_of(remote))
    assert (how.kind, how.code) == ("user error", 2)
    assert how.reason == f"{log}: is a link, and no link is written through; remove it."
    assert remote.killed


def test_a_thread_that_left_no_ending_is_a_bug_of_that_cohort(cohort_of):
    carrier = cohort_of(Remote())
    carrier._thread = threading.Thread(target=lambda: None)
    carrier._thread.start()
    carrier._thread.join()
    assert carrier.ending().kind == "internal"


def test_after_ctrl_c_a_cohort_that_waits_for_room_is_not_begun(cohort_of):
    """Each that ended made room for the next one, which then began and saved, one by one."""
    remote = Remote()
    remote.room = False
    carrier = cohort_of(remote)
    assert carrier.ending() is None
    carrier.ask()
    remote.room = True
    assert carrier.ending().reason == "stopped before a node had room."
    assert carrier._thread is None
    assert remote.killed


def test_a_task_is_ended_without_waiting_for_it(cohort_of):
    """Each was waited for, up to ten seconds, before the next one was told."""
    remote = Remote()
    goes_on = threading.Event()
    remote.begin = lambda watch: goes_on.wait(SECONDS) and watch()
    carrier = cohort_of(remote)
    assert carrier.ending() is None
    carrier.kill()
    assert carrier._thread.is_alive()
    goes_on.set()
    carrier.join()
    assert not carrier._thread.is_alive()


def test_the_manifest_waits_for_room_no_longer_than_the_wall_time(fresh, monkeypatch):
    remote = Remote()
    remote.room = False
    monkeypatch.setattr(sealing, "AT_LEAST", 0.05)
    monkeypatch.setattr(ray, "POLL", 0.01)
    started = time.time() - 1.0
    deadline = sealing.Deadline(Options(device="cpu", max_wall=1.0), started)
    with pytest.raises(Incomplete, match="the manifest waited for room: --max-wall is over"):
        ray._sealed(remote, fresh, read_plan(Folder(fresh).plan), started, deadline)
