"""Two engines begin the same plan in the same folder at the same time."""

import subprocess

import pytest

from harness.folder import Folder
from harness.training.ending import read_ending
from helpers.program import call, command
from helpers.runs import promised


@pytest.mark.slow
def test_two_engines_on_one_folder_leave_what_one_would(tiny_suite, tmp_path):
    shorter = ("--set", "environment_steps=120", "--members", "2", "-j", "1")
    words = ("run", "--suite", tiny_suite, "--device", "cpu", *shorter)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    racing = [
        subprocess.Popen(command(*words, "--out", tmp_path / "both"), **quiet) for _ in range(2)
    ]
    said = [engine.communicate()[1] for engine in racing]
    assert all(engine.returncode in (0, 3) for engine in racing), said

    # Whoever comes last has everything, and the entry is of that.
    assert call(*words, "--out", tmp_path / "both").returncode == 0
    assert call(*words, "--out", tmp_path / "one").returncode == 0
    (both,), (one,) = ((tmp_path / name).iterdir() for name in ("both", "one"))
    assert promised(both) == promised(one)
    assert call("verify", both).returncode == 0
    for index in range(2):
        assert read_ending(Folder(both).cohort(index)).kind == "finished"
