"""The lease of a cohort: one run at a time, which nobody who only looks can stop."""

import fcntl
import os
import stat
import threading
from contextlib import contextmanager

import pytest

from harness.errors import Incomplete, UserError
from harness.planning.cohorts import Cohort
from harness.training import lease as leases
from harness.training.lease import lease, running

COHORT = Cohort(0, "cartpole-balance", ())


@pytest.fixture
def path(tmp_path):
    """Where the lease of cohort 0 belongs; its folder is there."""
    path = tmp_path / "cohorts/0/lease"
    path.parent.mkdir(parents=True)
    return path


@contextmanager
def reader(path):
    """Somebody with a shared lock."""
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def test_a_lease_is_held_by_one_and_private(path, tmp_path):
    assert not running(tmp_path, COHORT)
    with lease(path):
        assert running(tmp_path, COHORT)
        with pytest.raises(Incomplete, match="another process is carrying out"), lease(path):
            raise AssertionError("two hold it")
    assert not running(tmp_path, COHORT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lease_that_others_could_read_becomes_private(path):
    """Whoever can read it can lock it, and once stopped a run that way."""
    path.touch(mode=0o644)
    with lease(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_run_waits_for_those_who_only_look(path, tmp_path):
    path.touch()
    looked = threading.Event()

    def look():
        with reader(path):
            looked.set()
            threading.Event().wait(0.2)

    thread = threading.Thread(target=look)
    thread.start()
    looked.wait()
    assert not running(tmp_path, COHORT), "who looks carries nothing out"
    with lease(path):
        assert running(tmp_path, COHORT)
    thread.join()


def test_a_reader_that_stays_is_named(path, monkeypatch):
    monkeypatch.setattr(leases, "LOOK", 0.05)
    path.touch()
    with (
        reader(path),
        pytest.raises(Incomplete, match="holds a shared lock on it and carries nothing out"),
        lease(path),
    ):
        raise AssertionError("it is locked")


def test_the_lease_of_somebody_else_is_judged_by_its_progress(path, tmp_path, monkeypatch):
    def denied(*arguments):
        raise PermissionError

    progress = path.with_name("progress.json")
    progress.touch()
    monkeypatch.setattr(leases.os, "open", denied)
    assert running(tmp_path, COHORT)
    os.utime(progress, (0, 0))
    assert not running(tmp_path, COHORT)
    progress.unlink()
    assert not running(tmp_path, COHORT)


@pytest.mark.parametrize("plant", ["symlink", "hardlink", "pipe", "folder", "dangling"])
def test_a_planted_lease_changes_nothing_outside(path, tmp_path, plant):
    """A lease that was a link once emptied the file that it named."""
    outside = tmp_path / "outside"
    outside.write_text("precious")
    outside.chmod(0o644)
    if plant == "symlink":
        path.symlink_to(outside)
    elif plant == "hardlink":
        path.hardlink_to(outside)
    elif plant == "pipe":
        os.mkfifo(path)
    elif plant == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")

    with pytest.raises(UserError, match="remove it"), lease(path):
        raise AssertionError("it was taken")
    assert not running(tmp_path, COHORT)
    assert outside.read_text() == "precious"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert not (tmp_path / "nowhere").exists()


def test_a_lease_keeps_what_is_in_it(path):
    path.write_text("old")
    with lease(path):
        pass
    assert path.read_text() == "old"
