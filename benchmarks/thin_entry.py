"""Copies a finished plan folder as results/ keeps it: everything that was signed without the
tensors, the list that says which tensors those are, and what cohorts trained the runs.

    python benchmarks/thin_entry.py WHOLE THIN
"""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.entries.submission import without_tensors
from harness.entries.verified import verified
from harness.files import write_atomic
from harness.folder import Folder


def main() -> None:
    """Write the copy, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("whole", type=Path)
    parser.add_argument("thin", type=Path)
    arguments = parser.parse_args()

    files = without_tensors(verified(arguments.whole), mirrors=())
    cohorts = Folder(arguments.whole).cohorts
    files[cohorts.name] = cohorts.read_bytes()
    for name, content in files.items():
        write_atomic(arguments.thin / name, content)
    size = sum(map(len, files.values()))
    print(f"{arguments.thin}: {len(files)} files, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
