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
from dataclasses import dataclass, field
from pathlib import Path

from mutant_kinds import differences, kinds, values
from mutants import ENVELOPE, SIDE, Files, Mutant, Mutator

from leaderboard.formats import envelope, keys
from leaderboard.verification.verify import verify


@dataclass
class Tally:
    """What became of some mutants."""

    made: int = 0
    unchanged: int = 0
    """Mutations that left the bytes as they were."""
    refused: Counter[str] = field(default_factory=Counter)
    """By the check that failed."""
    surprises: Counter[str] = field(default_factory=Counter)
    """Refused by an error that no check foresaw: no traceback, but no sentence for people."""
    accepted: Counter[str] = field(default_factory=Counter)
    """By kind: where, and why it is harmless."""
    breaches: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Counts another tally too."""
        self.made += other.made
        self.unchanged += other.unchanged
        self.refused += other.refused
        self.surprises += other.surprises
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


class Campaign:
    """Mutants of one entry, each verified in a folder of its own."""

    def __init__(self, entry: Path, folder: Path, seed: int) -> None:
        """`folder`: where the entry is copied to, and mutated."""
        self.original = read_entry(entry)
        self.values = values(self.original)
        self.own = json.loads(self.original["suite.json"])["name"].startswith("own-")
        self.mutator = Mutator(self.original, keys.one_use_key(), seed)
        self.tally = Tally()
        self.folder = folder
        shutil.copytree(entry.parent, folder, ignore=shutil.ignore_patterns("cohorts*"))
        self.trust = self._trust_file()

    def _trust_file(self) -> Path | None:
        """Trusts whoever re-evaluated the entry, and the forger as a submitter like others."""
        if SIDE not in self.original:
            return None
        roles = {self.mutator.key.public_hex: "submitter"}
        for name, role in ((ENVELOPE, "submitter"), (SIDE, "reevaluator")):
            payload = json.loads(envelope.open_envelope(self.original[name]).payload)
            roles[payload["predicate"]["signer"]["public_key"]] = role
        known = [
            {"name": role, "public_key": key, "roles": [role], "revoked": None}
            for key, role in roles.items()
        ]
        path = self.folder.with_name("trust.json")
        path.write_text(json.dumps({"schema": "urn:mst-bench:trust:v2", "keys": known}))
        return path

    def attempt(self) -> None:
        """Makes the next mutant, verifies it, and restores the entry."""
        mutant = self.mutator.mutant()
        self.tally.made += 1
        if not mutant.files:
            self.tally.unchanged += 1
            return
        for name, content in mutant.files.items():
            (self.folder / name).write_bytes(content)
        try:
            self._judge(mutant)
        except Exception:
            where = f"{mutant.where}, {mutant.how}"
            self.tally.tracebacks.append(f"{where}:\n{traceback.format_exc()}")
        for name in mutant.files:
            (self.folder / name).write_bytes(self.original[name])

    def _judge(self, mutant: Mutant) -> None:
        # A re-evaluation is of one payload, so it is handed in where it alone was changed.
        reeval = self.folder / SIDE if mutant.where == SIDE else None
        verdict = verify(self.folder / ENVELOPE, trust=self.trust, reeval=reeval)
        if not verdict.accepted:
            last = verdict.checks[-1]
            self.tally.refused[last.name] += 1
            self.tally.surprises[last.detail[:100]] += last.detail.startswith("cannot be judged")
            return
        changed = differences(self.values, values(self.original | mutant.files))
        reasons, breaches = kinds(mutant, changed, self.own)
        if reasons:
            self.tally.accepted[" and ".join(sorted(reasons))] += 1
        self.tally.breaches += breaches


def campaign(entry: Path, count: int, seed: int) -> Tally:
    """Makes `count` mutants of an entry and sorts what `verify` says of them."""
    with tempfile.TemporaryDirectory() as scratch:
        attempts = Campaign(entry, Path(scratch) / "entry", seed)
        for _ in range(count):
            attempts.attempt()
    attempts.tally.surprises += Counter()  # drops what was counted no time
    return attempts.tally


def show(tally: Tally) -> Iterator[str]:
    """The campaign in words."""
    yield f"{tally.made} mutants, of which {tally.unchanged} changed nothing"
    yield f"refused: {tally.refused.total()}"
    yield from (f"  {count:6} by {name}" for name, count in tally.refused.most_common())
    yield f"of which by an error that no check foresaw: {tally.surprises.total()}"
    yield from (f"  {count:6} {detail}" for detail, count in tally.surprises.most_common(20))
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
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args(arguments)

    tally = Tally()
    share = -(-options.count // options.jobs)
    with ProcessPoolExecutor(options.jobs) as pool:
        seeds = [1000 * options.seed + job for job in range(options.jobs)]
        parts = [pool.submit(campaign, options.entry, share, seed) for seed in seeds]
        for part in parts:
            tally.add(part.result())
    print("\n".join(show(tally)))
    if options.json:
        options.json.write_text(json.dumps(vars(tally), indent=1) + "\n")
    return 1 if tally.breaches or tally.tracebacks else 0


if __name__ == "__main__":
    sys.exit(main())
