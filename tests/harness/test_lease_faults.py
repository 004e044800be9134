"""What a lease outlives: processes that sleep, clocks that are set, file systems that go away."""

import os
import signal
import subprocess
import time

import pytest

from harness.folder import Folder
from harness.training import faults
from harness.training.clock import Clock
from harness.training.ending import read_ending
from harness.training.lease import Watch, lease, take
from helpers.forked import forks
from helpers.runs import cohort_command, newest_checkpoint, promised, promised_of_cohorts
from helpers.stub_cohort import COHORT

SECONDS = os.environ.get("MST_BENCH_TEST_LEASE", "1")
"""For how long a process is stopped, in a real cohort."""
STUB = "from helpers import stub_cohort; stub_cohort.main()"
SLOW = "from helpers import stub_cohort; stub_cohort.PACE = 0.02; stub_cohort.main()"
WRITING = f"from harness.training import progress; progress.WRITE_EVERY = 0.0; {SLOW}"
"""With its progress written after every step, so that something is always being written."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forked")
    with forks(folder, "helpers.stub_cohort", "helpers.no_locks") as started:
        yield started


@pytest.mark.slow
def test_who_slept_through_a_lease_changes_nothing_when_it_wakes_up(fresh, tiny_entry):
    command = [*cohort_command(fresh), "--lease-seconds", SECONDS]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as sleeper:
        while not newest_checkpoint(fresh):
            assert sleeper.poll() is None
            time.sleep(0.005)
        sleeper.send_signal(signal.SIGSTOP)
        second = subprocess.run(command, capture_output=True, text=True)
        sleeper.send_signal(signal.SIGCONT)
        _, said = sleeper.communicate()

    assert second.returncode == 0, second.stderr
    assert "is silent; it is taken over if that lasts" in second.stderr
    assert sleeper.returncode == 3
    assert "another process has taken this cohort over" in said
    assert promised(fresh) == promised_of_cohorts(tiny_entry.parent)
    assert not list(fresh.glob("runs/**/.*"))
    assert read_ending(Folder(fresh).cohort(0)).kind == "finished"


def test_a_file_system_without_locks_and_hard_links_is_good_enough(server, tmp_path):
    told = "from helpers import no_locks; import sys; sys.exit(no_locks.refuse() is False)"
    if server.start(told).ended()[0]:
        pytest.skip("this machine's kernel takes no filters")
    check = "assert no_locks.refuse() and no_locks.refused()"
    code = f"from helpers import no_locks, stub_cohort; {check}; stub_cohort.main()"
    assert server.start(code, tmp_path / "out", 60.0).ended()[0] == 0
    assert read_ending(Folder(tmp_path / "out").cohort(0)).kind == "finished"


@pytest.mark.parametrize(("code", "known_faults"), [(WRITING, 0), (SLOW, 1)])
def test_a_file_system_that_is_gone_for_a_while_pauses_a_cohort(
    server, tmp_path, code, known_faults
):
    """Where something failed meanwhile, the cohort goes on from its last checkpoint."""
    assert server.start(STUB, tmp_path / "alone", 60.0).ended()[0] == 0
    folder = tmp_path / "out"
    process = server.start(code, folder, 60.0)
    while newest_checkpoint(folder) < 2:
        assert process.running(), process.ended()
        time.sleep(0.005)

    # A file in its place: nothing can be made there.
    folder.rename(tmp_path / "away")
    folder.touch()
    time.sleep(0.5)
    folder.unlink()
    (tmp_path / "away").rename(folder)

    code, _, said = process.ended()
    assert code == 0, said
    assert "does not answer; waiting for it" in said
    assert promised(folder) == promised(tmp_path / "alone")
    recorded = faults.faults(folder, COHORT)
    assert len(recorded) == known_faults
    assert all("the file system was gone" in fault.reason for fault in recorded)


def test_nothing_of_a_lease_asks_for_the_time_of_day(tmp_path, monkeypatch):
    def no_clock():
        raise AssertionError("somebody may have set it")

    monkeypatch.setattr(time, "time", no_clock)
    silent = take(tmp_path / "leases", seconds=0.2)
    with lease(tmp_path / "leases", seconds=0.2):
        assert silent.standing() == "lost"
        assert Watch(tmp_path / "leases").look() == "silent"


@pytest.mark.parametrize("jump", [-86400.0, -1.0, 86400.0])
def test_a_clock_that_is_set_meanwhile_makes_no_time_negative(monkeypatch, jump):
    clock = Clock()
    with clock.time("train"):
        time.sleep(0.01)
    restored = Clock()
    restored.restore(**clock.state())
    with restored.time("train"):
        time.sleep(0.01)

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + jump)
    assert restored.seconds["train"] >= 0.02
    assert restored.now() - restored.started >= restored.seconds["train"]
