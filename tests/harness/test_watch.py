"""`mst-bench watch`: what a plan's runs are doing, seen from another terminal."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from harness.cli.screen import BARS, Screen, Watched
from harness.errors import Incomplete
from harness.folder import Folder
from helpers.program import call
from helpers.runs import carry_out, stop_after
from leaderboard.formats.run import Run


@pytest.fixture
def interrupted(fresh, monkeypatch):
    """A run that was stopped after some steps."""
    stop_after(monkeypatch, [40])
    with pytest.raises(Incomplete):
        carry_out(fresh)
    return fresh


def shown(folder):
    """The rows of runs, by name, where no terminal is."""
    done = call("watch", folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    return lines[0], {line.split()[0]: line for line in lines[2:]}


def test_finished_runs_show_their_curve_and_score(tiny_entry):
    head, rows = shown(tiny_entry.parent)
    assert "4 of 4 runs have a score; nothing runs now" in head
    assert len(rows) == 4
    for row in rows.values():
        assert "finished" in row
        assert set(row) & set(BARS)


def test_a_stopped_plan_says_how_far_it_is(interrupted):
    head, rows = shown(interrupted)
    assert "0 of 4 runs have a score; nothing runs now" in head
    assert all("stopped" in row for row in rows.values())


def test_a_plan_that_nobody_began_is_shown(fresh):
    _, rows = shown(fresh)
    assert all("not begun" in row for row in rows.values())


def test_what_comes_later_is_read_and_what_is_recorded_again_counts_once(tiny_entry, tmp_path):
    name = "cartpole-swingup/mst/0"
    whole = Folder(tiny_entry.parent).run(Run("cartpole-swingup", "mst", 0)).records.read_bytes()
    lines = whole.splitlines(keepends=True)
    path = tmp_path / "records.jsonl"
    watched = Watched(Run(*name.rsplit("/")[:2], 0), path)
    watched.look()
    assert watched.curve(0.0, 1000.0) == ""

    # A line that is half there waits; a resumed run writes a part anew.
    path.write_bytes(lines[0] + lines[1][:10])
    watched.look()
    assert len(watched.returns) == 1
    path.write_bytes(lines[0])
    watched.look()
    path.write_bytes(whole)
    watched.look()
    assert watched.score is not None
    assert len(watched.returns) == len(watched.curve(0.0, 1000.0)) >= 2


def test_a_small_terminal_shows_what_fits(tiny_entry):
    group = Screen(tiny_entry.parent).draw(lines=6)
    assert group.renderables[1].row_count == 2
    assert group.renderables[2].plain == "and 2 other runs"


def test_control_c_ends_watching_and_leaves_the_last_screen(interrupted):
    """In a real terminal, of 100 columns."""
    master, slave = pty.openpty()
    command = [sys.executable, "-P", "-m", "harness.cli", "watch", str(interrupted)]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    search = {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment | search
    ) as process:
        os.close(slave)
        screen = b""
        while b"stopped" not in screen:
            screen += os.read(master, 65536)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        last = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the terminal is closed
                break
            if not part:
                break
            last += part
        assert process.wait() == 0
    os.close(master)
    assert last.count(b"stopped") >= 4
    assert b"Traceback" not in last
