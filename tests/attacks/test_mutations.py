"""Hundreds of mutants of a real entry, each signed again: benchmarks/mutations.py with few of them.

Ten thousand take minutes: `python benchmarks/mutations.py ENTRY`.
"""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "mutations.py"


def test_no_mutant_changes_what_an_entry_shows(tiny_entry, tmp_path):
    figures = tmp_path / "figures.json"
    options = [tiny_entry, "--count", "200", "--json", figures]
    command = [sys.executable, SCRIPT, *options]
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr

    tally = json.loads(figures.read_text())
    assert not tally["breaches"] and not tally["tracebacks"]
    assert sum(tally["refused"].values()) > sum(tally["accepted"].values())
    assert len(tally["refused"]) > 5, "mutants reach many of the checks"
