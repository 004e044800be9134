"""Time and memory of `board check` and `verify --board` on a large board, for one new entry.

    python benchmarks/board_check.py ENTRY [--leaves 10000] [--entries 200]

ENTRY: a finished plan folder of any suite, which stands for every entry of the board. The board is
made anew in a temporary folder. Prints JSON: seconds, seconds of CPU and peak MiB of each command,
as processes of their own; the least of three, and the largest peak.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
boards: Any = importlib.import_module("helpers.boards")
submissions: Any = importlib.import_module("helpers.submissions")

MEASURE = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
wall = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = used.ru_utime + used.ru_stime
print(json.dumps([done.returncode, round(wall, 2), round(cpu, 2), round(used.ru_maxrss / 1024)]))
"""


def main() -> None:
    """Make the board, hand an entry in, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entry", type=Path)
    parser.add_argument("--leaves", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        scene = submissions.scene_of(folder)
        made = _grown(scene, options.entry / "entry.dsse.json", options.leaves, options.entries)
        person = scene.person("submitter")
        place = submissions.by_hand(person, made, scene.keys.submitter)
        person.pull_request()
        board = ("--board", str(person.clone))
        measured = {
            "board check": _measured(folder, "board", "check", *board),
            "verify --board": _measured(folder, "verify", str(place), *board),
            "log audit": _measured(folder, "log", "audit", *board),
        }
        print(json.dumps({"leaves": len(scene.board.leaves), "measured": measured}, indent=2))


def _grown(scene: Any, entry: Path, leaves: int, entries: int) -> Any:
    """A board with so many leaves and entries, pushed; an entry that is to be handed in."""
    board = scene.board
    copied = [
        path for path in entry.parent.rglob("*") if path.suffix in (".json", ".jsonl", ".csv")
    ]
    kept = [path for path in copied if "cohorts" not in path.parts]
    while len(board.leaves) < leaves - 2:
        index = board.register(draft=len(board.leaves))
        number = len(board.leaves)
        if number <= 3 + 2 * entries:
            board.entry(index, name=str(number))
            for path in kept:
                name = path.relative_to(entry.parent)
                target = board.folder / f"entries/dmc-hard-v1/{number:016x}" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    return submissions.registered_entry(scene, entry, scene.folder / "work").sign(
        scene.keys.submitter
    )


def _measured(folder: Path, *words: str) -> dict[str, float]:
    """Time and memory of a command."""
    command = [sys.executable, "-P", "-m", "harness.cli", *words]
    environment = os.environ | {"XDG_CONFIG_HOME": str(folder / "config")}
    runs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *command],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        code, *figures = json.loads(done.stdout)
        if code != 0:
            raise SystemExit(f"{' '.join(words)}: exit {code}: {done.stderr}")
        runs.append(figures)
    seconds, cpu, peaks = zip(*runs, strict=True)
    return {"seconds": min(seconds), "cpu_seconds": min(cpu), "peak_mib": max(peaks)}


if __name__ == "__main__":
    main()
