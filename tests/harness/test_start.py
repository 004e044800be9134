"""Before the program is loaded: packages of others that have our names; and what helps to type."""

import os
import subprocess
import sys
from pathlib import Path

from helpers.program import call

ROOT = Path(__file__).parents[2]


def test_a_package_of_somebody_else_with_our_name_is_named(tmp_path):
    """It once ended as ModuleNotFoundError: No module named 'agents.blocks'."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/__init__.py").touch()
    search = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from harness.cli.start import main; main()"],
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mst-bench: Python finds the package `agents` in {tmp_path / 'agents'}")


def test_a_shell_completes_commands_and_suites(monkeypatch):
    monkeypatch.setenv("_MST_BENCH_COMPLETE", "source_bash")
    assert "complete -o default -F _mst_bench_completion mst-bench" in call().stdout
    for words, word in (("mst-bench ver", "verify"), ("mst-bench run --suite dmc-h", "dmc-hard")):
        monkeypatch.setenv("_MST_BENCH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert word in call().stdout.split()


def test_runs_of_all_plans_are_listed(tiny_entry, fresh):
    listed = call("list", "runs", "--out", tiny_entry.parent.parent)
    assert listed.returncode == 0, listed.stderr
    rows = [line for line in listed.stdout.splitlines() if line.startswith(tiny_entry.parent.name)]
    assert len(rows) == 4
    assert all("finished" in row for row in rows)
    begun = call("list", "runs", "--out", fresh.parent)
    assert begun.stdout.count("not begun") == 4
    none = call("list", "runs", "--out", fresh)
    assert (none.returncode, len(none.stderr.splitlines())) == (2, 1)
