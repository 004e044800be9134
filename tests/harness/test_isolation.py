"""A working folder that belongs to a stranger: nothing in it is imported, read or obeyed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RCS = {
    "usetex": "text.usetex: True\nfont.size: 3\naxes.facecolor: red\n",
    "not text": b"\xff\xfe\x00".decode("latin1"),
}


@pytest.fixture
def folder(tiny_entry, tmp_path):
    """A copy of a finished run, without its report."""
    folder = shutil.copytree(tiny_entry.parent, tmp_path / "stranger")
    (folder / "report.html").unlink()
    return folder


def run_there(folder, *options):
    """`python -m harness.cli report .` with the folder as the working folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, *options, "-m", "harness.cli", "report", "."]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("rc", RCS)
def test_a_planted_matplotlibrc_changes_no_report(folder, tiny_entry, rc):
    """Matplotlib reads it when it is imported; one that asked for LaTeX ended in a traceback."""
    (folder / "matplotlibrc").write_text(RCS[rc], encoding="latin1")
    done = run_there(folder, "-P")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (folder / "report.html").read_bytes() == (tiny_entry.parent / "report.html").read_bytes()


def test_settings_made_before_change_no_drawing():
    from leaderboard.pages.mpl import mpl, style

    with mpl.rc_context({"text.usetex": True}), style({"font.size": 7}):
        assert not mpl.rcParams["text.usetex"]
        assert mpl.rcParams["font.size"] == 7


def test_modules_of_the_working_folder_are_not_imported(folder):
    """`python -m harness.cli` in the folder of an entry once ran the submitter's modules."""
    for name in ("typer.py", "numpy.py", "matplotlib.py", "agents.py"):
        (folder / name).write_text("raise SystemExit('a module of the stranger ran')\n")
    done = run_there(folder)
    assert done.returncode == 0, done.stderr + done.stdout
