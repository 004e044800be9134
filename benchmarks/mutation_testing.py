"""Which small changes of the project's code no test notices.

    python -m pip install -e '.[dev,mutation]'
    python benchmarks/mutation_testing.py results/mutation-testing.csv [--count 320] [--seed 0]
    python benchmarks/mutation_testing.py results/mutation-testing.csv --again

cosmic-ray makes the changes: `<` becomes `<=`, 3 becomes 4, a loop runs never. A seeded sample of
them, spread over files that decide numbers and verdicts (mutation_places.py), is tried one by one
in a scratch copy of the tree, each against the tests that belong to its file. Every result is
written at once; the command goes on where it stopped. `--again` tries the survivors again, after
somebody wrote tests. What a reader found out about a survivor stands in the column `remark`, which
this command keeps: `equivalent: ...` says that no test could tell it from the original.

It has nothing to do with mutations.py, which forges entries.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter
from pathlib import Path

from mutation_places import Place, changed_line, sample, tests_of
from mutation_trials import Scratch

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("file", "line", "operator", "occurrence", "mutant", "outcome", "by", "remark")

Row = dict[str, str]


def main() -> None:
    """Tries what has no outcome yet, or survived, and prints the share killed."""
    reader = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    reader.add_argument("table", type=Path)
    reader.add_argument("--count", type=int, default=320)
    reader.add_argument("--seed", type=int, default=0)
    reader.add_argument("--again", action="store_true", help="try the survivors again")
    words = reader.parse_args()

    rows = _rows(words.table) or _drawn(words.count, words.seed)
    open_rows = [row for row in rows if _is_open(row, words.again)]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Scratch(ROOT, Path(folder) / "tree")
        passed: set[tuple[str, ...]] = set()
        for row in open_rows:
            tests = tests_of(row["file"])
            if tests not in passed:
                _unchanged(scratch, tests)
                passed.add(tests)
            _try(scratch, row)
            _write(words.table, rows)
    print(_summary(rows))


def _is_open(row: Row, again: bool) -> bool:
    """Whether a mutant is to be tried: it never was; or it survived, and might not any more."""
    equivalent = row["remark"].startswith("equivalent")
    return row["outcome"] == "" or (again and row["outcome"] == "survived" and not equivalent)


def _rows(table: Path) -> list[Row]:
    """What an earlier call wrote."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def _write(table: Path, rows: list[Row]) -> None:
    """The whole table anew."""
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _drawn(count: int, seed: int) -> list[Row]:
    """Rows of a new sample."""
    rows = []
    for place in sample(ROOT, count, seed):
        code = (ROOT / place.file).read_text()
        mutant = changed_line(code, place.mutant(code))
        drawn = {name: str(value) for name, value in place._asdict().items()}
        rows.append({**dict.fromkeys(COLUMNS, ""), **drawn, "mutant": mutant})
    return rows


def _unchanged(scratch: Scratch, tests: tuple[str, ...]) -> None:
    """Unchanged code must pass, or nothing that follows means anything."""
    trial = scratch.trial(tests, keep=True)
    print(f"unchanged: {trial.outcome} in {trial.seconds:.0f} s", flush=True)
    if trial.outcome != "survived":
        sys.exit(f"{trial.by} fails on the tree as it is")


def _try(scratch: Scratch, row: Row) -> None:
    """Fills in what became of one mutant."""
    place = Place(row["file"], int(row["line"]), row["operator"], int(row["occurrence"]))
    code = (ROOT / place.file).read_text()
    mutant = place.mutant(code)
    if changed_line(code, mutant) != row["mutant"]:
        sys.exit(f"{place.file}:{place.line}: the code is another by now; draw a new sample")

    with scratch.changed(place.file, mutant):
        trial = scratch.trial(tests_of(place.file))
    if row["outcome"] == "survived" and trial.outcome != "survived":
        row["remark"] = "survived at first"
    row["outcome"], row["by"] = trial.outcome, trial.by
    where = f"{place.file}:{place.line} {place.operator}: {row['mutant']}"
    print(f"{trial.outcome:8} {trial.seconds:4.0f} s {where}  {trial.by}", flush=True)


def _summary(rows: list[Row]) -> str:
    """How many were killed, in all and without those that no test can kill."""
    outcomes = Counter(row["outcome"] or "open" for row in rows)
    survived = [row for row in rows if row["outcome"] == "survived"]
    equivalent = sum(row["remark"].startswith("equivalent") for row in survived)
    killed = outcomes["killed"] + outcomes["timeout"]
    return (
        f"{dict(outcomes)}: {killed} of {len(rows)} killed ({killed / len(rows):.1%}); "
        f"{equivalent} equivalent, without them {killed / (len(rows) - equivalent):.1%}"
    )


if __name__ == "__main__":
    main()
