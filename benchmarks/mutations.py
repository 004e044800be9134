"""What gets past `verify` when one thing of a real entry is changed and everything signed again.

    mst-bench run --suite smoke --out OUT
    python benchmarks/mutations.py OUT/<plan id>/entry.dsse.json [--count 10000] [--seed 0]
        [--jobs 2] [--json FILE]

Every mutant (mutants.py) is signed with a key of the forger's own. Those that are accepted are
compared with the original, value by value; mutant_kinds.py lists what may differ, and why. A
difference that is not on the list is a breach, as is a
traceback: both end the command with exit code 1. It stands here and not among the tests because ten
thousand mutants take minutes; the tests run a few hundred (tests/attacks/test_mutations.py).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mutant_kinds import differences, kinds, values
from mutants import ENVELOPE, SIDE, Files, Mutant, Mutator

from leaderboard.formats import envelope, keys
from leaderboard.formats.document import DocumentError
from leaderboard.verification.verify import verify


@dataclass
class Tally:
    """What became of some mutants."""

    made: int = 0
    unchanged: int = 0
    """Mutations that left the bytes as they were."""
    refused: Counter[str] = field(default_factory=Counter)
    """By the check that failed."""
    accepted: Counter[str] = field(default_factory=Counter)
    """By kind: where, and why it is harmless."""
    breaches: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Counts another tally too."""
        self.made += other.made
        self.unchanged += other.unchanged
        self.refused += other.refused
        self.accepted += other.accepted
        self.breaches += other.breaches
        self.tracebacks += other.tracebacks


def read_entry(entry: Path) -> Files:
    """An entry, every file that it lists, and a re-evaluation that lies beside it."""
    files = {ENVELOPE: entry.read_bytes()}
    statement = json.loads(envelope.open_envelope(files[ENVELOPE]).payload)
    names = [subject["name"] for subject in statement["subject"]]
    if (entry.parent / SIDE).exists():
        names.append(SIDE)
    return files | {name: (entry.parent / name).read_bytes() for name in names}


# -- the campaign --


def campaign(entry: Path, count: int, seed: int, trust: Path | None = None) -> Tally:
    """Makes `count` mutants of an entry and sorts what `verify` says of them."""
    original = read_entry(entry)
    before = values(original)
    own = json.loads(original["suite.json"])["name"].startswith("own-")
    mutator = Mutator(original, keys.one_use_key(), seed)
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "entry"
        shutil.copytree(entry.parent, folder, ignore=shutil.ignore_patterns("cohorts*"))
        reeval = folder / SIDE if SIDE in original else None
        for _ in range(count):
            mutant = mutator.mutant()
            tally.made += 1
            if not mutant.files:
                tally.unchanged += 1
                continue
            for name, content in mutant.files.items():
                (folder / name).write_bytes(content)
            _judge(folder, trust, reeval, mutant, original | mutant.files, before, own, tally)
            for name in mutant.files:
                (folder / name).write_bytes(original[name])
    return tally


def _judge(
    folder: Path,
    trust: Path | None,
    reeval: Path | None,
    mutant: Mutant,
    files: Files,
    before: dict[str, Any],
    own: bool,
    tally: Tally,
) -> None:
    """Verifies one mutant, and counts it."""
    try:
        verdict = verify(folder / ENVELOPE, trust=trust, reeval=reeval)
    except Exception:
        tally.tracebacks.append(f"{mutant.where}, {mutant.how}:\n{traceback.format_exc()}")
        return
    if not verdict.accepted:
        tally.refused[verdict.checks[-1].name] += 1
        return
    try:
        changed = differences(before, values(files))
    except (ValueError, DocumentError) as error:
        tally.breaches.append(f"{mutant.where}: accepted and not readable ({error})")
        return
    reasons, breaches = kinds(mutant, changed, own)
    tally.accepted.update([" and ".join(sorted(reasons))] if reasons else [])
    tally.breaches += breaches


def show(tally: Tally) -> Iterator[str]:
    """The campaign in words."""
    yield f"{tally.made} mutants, of which {tally.unchanged} changed nothing"
    yield f"refused: {tally.refused.total()}"
    yield from (f"  {count:6} by {name}" for name, count in tally.refused.most_common())
    yield f"accepted: {tally.accepted.total()}, all harmless"
    yield from (f"  {count:6} {kind}" for kind, count in tally.accepted.most_common())
    yield f"accepted and not harmless: {len(tally.breaches)}"
    yield from (f"  {breach}" for breach in tally.breaches[:50])
    yield f"tracebacks: {len(tally.tracebacks)}"
    yield from tally.tracebacks[:5]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("entry", type=Path, help="entry.dsse.json, its files beside it")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="each has a seed of its own")
    parser.add_argument("--trust", type=Path, help="names who signed a re-evaluation")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args(arguments)

    tally = Tally()
    share = -(-options.count // options.jobs)
    with ProcessPoolExecutor(options.jobs) as pool:
        seeds = [1000 * options.seed + job for job in range(options.jobs)]
        parts = [pool.submit(campaign, options.entry, share, seed, options.trust) for seed in seeds]
        for part in parts:
            tally.add(part.result())
    print("\n".join(show(tally)))
    if options.json:
        options.json.write_text(json.dumps(asdict(tally), indent=1) + "\n")
    return 1 if tally.breaches or tally.tracebacks else 0


if __name__ == "__main__":
    sys.exit(main())
