"""The lease of a cohort: one holder at a time; whoever lost it can write nothing any more."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.errors import Incomplete, UserError
from harness.planning.cohorts import Cohort
from harness.training import faults
from harness.training import lease as leases_module
from harness.training.lease import Watch, lease, newest, running, take

COHORT = Cohort(0, "cartpole-balance", ())
SHORT = 0.3
"""Seconds of silence after which a lease is taken over here."""


@pytest.fixture
def leases(tmp_path):
    """Where the leases of cohort 0 belong."""
    return tmp_path / "cohorts/0/leases"


@pytest.fixture
def silent(leases):
    """Makes a holder whose heart does not beat, as if it were stopped, in the middle of a run."""

    def make(run=None):
        held = take(leases, SHORT)
        if run is not None:
            held.enter([run])
        return held

    return make


def test_a_lease_is_held_by_one(leases, tmp_path):
    assert not running(tmp_path, COHORT)
    with lease(leases, SHORT):
        assert running(tmp_path, COHORT)
        with pytest.raises(Incomplete, match=f"another process .*process {os.getpid()} on"):
            take(leases)
    assert not running(tmp_path, COHORT)
    with lease(leases, SHORT) as held:
        assert held.number == 2


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("made", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_folder_is_named(leases, level, made):
    file = leases.parents[level]
    file.parent.mkdir(parents=True, exist_ok=True)
    made(file)
    with pytest.raises(UserError, match=rf"^{file}: is no folder; remove it\.$"):
        Watch(leases)


def test_who_does_not_want_to_wait_is_told_at_once(leases):
    with lease(leases), pytest.raises(Incomplete, match="another process is carrying out"):
        take(leases, wait=False)


def test_of_many_who_try_at_once_one_holds_it(leases):
    Watch(leases)
    start = threading.Barrier(8)
    held = []

    def claim():
        watch = Watch(leases)
        watch.look()
        start.wait()
        held.append(watch.claim(SHORT))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in held if each is not None]) == 1
    assert sorted(path.name for path in leases.iterdir()) == ["1"]


HOLD = """
import sys, time
from pathlib import Path
from harness.training.lease import take
take(Path(sys.argv[1])).start()
print("held", flush=True)
time.sleep(60)
"""


def test_who_comes_second_is_told_so_by_any_error(leases, monkeypatch):
    """As on SSHFS, which has one error for everything; another error with nothing there counts."""
    rename = Path.rename

    def refusing(path, target):
        if Path(target).exists() or target.name == "2":
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refusing)
    late = Watch(leases)
    assert late.look() == "free"
    with lease(leases, SHORT):
        assert late.claim(SHORT) is None
    with pytest.raises(PermissionError):
        take(leases, SHORT)


def test_the_cohort_of_a_process_that_died_here_is_free_at_once(leases, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, leases], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        assert Watch(leases).look() == "silent"
        process.kill()
        process.wait()
        assert not running(tmp_path, COHORT)
        assert Watch(leases).look() == "free"


def test_of_a_process_elsewhere_silence_alone_speaks(leases):
    """A machine of another boot: its process numbers say nothing here."""
    held = take(leases, SHORT)
    owner = held.leases / "1" / "owner.json"
    document = json.loads(owner.read_bytes())
    owner.write_text(json.dumps({**document, "machine": "elsewhere", "pid": 2**22 + 1}))
    watch = Watch(leases)
    assert watch.look() == "silent"
    while watch.look() == "silent":
        time.sleep(watch.pause)
    assert watch.silence >= SHORT
    assert watch.look() == "free"


def test_time_in_which_nobody_looked_is_no_silence(leases, silent):
    """Who was stopped himself, or waited for a file system, does not take over a living holder."""
    held = silent()
    watch = Watch(leases)
    watch.look()
    time.sleep(2 * SHORT)
    assert watch.look() == "silent"
    held.beat()
    assert watch.look() == "held"


def test_who_lost_a_cohort_can_change_nothing(leases, silent, tmp_path):
    run = tmp_path / "runs/a"
    first = silent(run)
    records = first.create(run / "records.jsonl", b"first\n")
    first.write(run / "result.json", b"first")

    # Taken over: the records are the second one's own, though the first has them open.
    second = take(leases, SHORT)
    second.enter([run])
    second.create(run / "records.jsonl", b"second\n").close()
    records.write(b"still there\n")
    records.flush()

    # While the second one is at work, and once it is done and left nothing but its files.
    changes = (
        lambda: first.write(run / "result.json", b"false"),
        lambda: first.write_json(leases.parent / "ending.json", {}),
        lambda: first.create(run / "records.jsonl"),
        lambda: first.remove(run / "result.json"),
        lambda: faults.record(tmp_path, COHORT, 7, "a simulator crashed", first),
        lambda: first.enter([run]),
    )
    second.write(run / "result.json", b"second")
    for at_work in (True, False):
        for change in changes:
            with pytest.raises((OSError, UserError)):
                change()
        assert first.standing() == "lost"
        if at_work:
            second.release()

    first.release()
    assert (run / "records.jsonl").read_bytes() == b"second\n"
    assert (run / "result.json").read_bytes() == b"second"
    assert {path.name for path in run.iterdir()} == {"records.jsonl", "result.json"}
    assert not list(leases.parent.glob("*.json"))


def test_the_block_of_a_lost_lease_ends_in_one_sentence(leases):
    def be_taken_over_while_it_writes():
        with lease(leases, SHORT) as held:
            (leases / "1").rename(leases / "2")
            held.write_json(leases.parent / "ending.json", {})

    with pytest.raises(Incomplete, match="another process has taken this cohort over"):
        be_taken_over_while_it_writes()


def test_a_file_system_that_is_gone_for_a_while_is_waited_for(leases, capsys):
    away = leases.parents[1].with_name("away")
    with lease(leases, SHORT) as held:
        leases.parents[1].rename(away)
        assert held.standing() == "gone"
        threading.Timer(SHORT, lambda: away.rename(leases.parents[1])).start()
        held.wait_if_gone(OSError(5, "Input/output error"))
        held.write_json(leases.parent / "ending.json", {})
    assert "does not answer; waiting for it" in capsys.readouterr().err
    assert newest(leases).heartbeat is None


def test_another_error_is_not_waited_for(leases):
    with lease(leases, SHORT) as held, pytest.raises(OSError, match="No space"):
        held.wait_if_gone(OSError(28, "No space left"))


@pytest.mark.parametrize("planted", ["symlink", "dangling", "file", "pipe"])
def test_planted_leases_are_refused(leases, tmp_path, planted):
    outside = tmp_path / "outside"
    outside.mkdir()
    leases.parent.mkdir(parents=True)
    if planted == "file":
        leases.write_text("")
    elif planted == "pipe":
        os.mkfifo(leases)
    else:
        leases.symlink_to(outside if planted == "symlink" else tmp_path / "nowhere")

    with pytest.raises(UserError, match="remove it"):
        take(leases)
    assert not running(tmp_path, COHORT)
    assert not list(outside.iterdir())
    assert not (tmp_path / "nowhere").exists()


def test_a_lease_that_names_no_owner_is_one_of_somebody(leases, monkeypatch):
    monkeypatch.setattr(leases_module, "SECONDS", SHORT)
    for name in ("heartbeat", "owner.json"):
        (leases / "7").mkdir(parents=True, exist_ok=True)
        (leases / "7" / name).write_text("{")
    with lease(leases) as held:
        assert held.number == 8
