"""Boards with entries, for their site: real folders that verify, made from one short run.

Scores are made up, and signed like any others. Nothing here was registered before it ran, so tests
that need ranks judge with `proven`.
"""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np

from helpers.boards import DAY, Keys, new_board
from helpers.forgery import Forgery
from helpers.logs import TIME
from leaderboard.formats import envelope
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.leaf import AmendLeaf, ReevalLeaf, RetractLeaf
from leaderboard.formats.person import PERSON_SCHEMA
from leaderboard.verification.checks import Check
from leaderboard.verification.verify import verify

IMAGE = "ab" * 32
"""Content of the image that all entries name."""
EPISODES = 2
"""Of a final policy."""


def proven(path):
    """What `verify` says of an entry, as if its registration were proven."""
    verdict = verify(path)
    if verdict.accepted:
        kept = [check for check in verdict.checks if check.name not in ("registration", "beacon")]
        proofs = [Check(name, "passed", "by the test") for name in ("registration", "beacon")]
        verdict.checks[:] = [*kept, *proofs]
    return verdict


def link(source, target):
    """Copies a file; one that no test changes is only linked."""
    if str(source).endswith(".safetensors"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def base_of(tiny_entry, parent, tasks, regimes, seeds, diagnostics=True):
    """An entry with a run for each task, regime and seed, copied from a run of one task and seed."""
    parent.mkdir(parents=True)
    forged = Forgery(tiny_entry, parent)
    (task,) = forged.plan["observations"]
    plan = forged.plan
    copied = {run["regime"]: run for run in forged.runs}
    for table in ("networks", "sizes"):
        rows = plan[table]
        plan[table] = {f"{t}/{r}": rows[f"{task}/{r}"] for t in tasks for r in regimes}
    plan["regimes"] = {regime: plan["regimes"][regime] for regime in regimes}
    plan["observations"] = {name: plan["observations"][task] for name in tasks}
    prints = forged.predicate["fingerprints"]
    forged.predicate["fingerprints"] = {name: prints[task] for name in tasks}

    # Files of the first run are those of all.
    runs = []
    shutil.move(forged.folder / "runs", forged.folder / "before")
    for name in tasks:
        for regime in regimes:
            for seed in range(seeds):
                run = json.loads(json.dumps(copied[regime])) | {"task": name, "seed": seed}
                forged.path(run).parent.mkdir(parents=True, exist_ok=True)
                source = forged.folder / "before" / task / regime / "0"
                shutil.copytree(source, forged.path(run), copy_function=link)
                runs.append(run)
    shutil.rmtree(forged.folder / "before")
    forged.predicate["runs"] = runs
    forged.predicate["image"] = {"variant": "cuda", "content_sha256": IMAGE}
    forged.replan()
    if not diagnostics:
        forged.record = without_diagnostics
    for name in ("entry.dsse.json", "report.html"):
        (forged.folder / name).unlink(missing_ok=True)
    return forged.sign()


def without_diagnostics(run, record):
    """A record that has none, so that fewer charts are drawn."""
    return record | ({"diagnostics": {}} if record["kind"] == "evaluation" else {})


class SiteBoard:
    """A board in a folder, with submitters and entries."""

    def __init__(self, folder: Path, keys: Keys | None = None) -> None:
        self.board = new_board(folder / "board", keys or Keys())
        self.folder = folder / "board"
        self.people = folder / "people"
        self.people.mkdir()
        self.scratch = folder / "scratch"
        self.drafts = 0

    def join(self, name=None, key=None, **more):
        """Admit somebody, who may have a name; their key."""
        key = key or one_use_key()
        if key is not self.board.keys.submitter:
            self.board.admit(key)
        if name is not None:
            self.call(key, name, **more)
        return key

    def call(self, key, name, affiliation="", link=None):
        """Write the file with somebody's name."""
        person = {"schema": PERSON_SCHEMA, "name": name, "affiliation": affiliation, "link": link}
        path = self.people / f"{key.key_id[:16]}.json"
        path.write_text(json.dumps(person, ensure_ascii=False))

    def later(self, seconds):
        """Let time pass."""
        self.board.at += seconds

    def register(self, key, **changes):
        """Register a plan of its own."""
        self.drafts += 1
        return self.board.register(key, draft=f"draft {self.drafts}", **changes)

    def seen(self):
        """Sign the log, and let both witnesses see it."""
        self.board.sign(witnesses=(0, 1), time=self.board.at + 60)

    def enter(self, base, key, registration, score, change=None):
        """Accept an entry: a copy of `base` with seeds and scores of its own; its position.

        `score(task, regime)`: a score of a seed. `change(forgery)`: whatever else is told.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        forged = Forgery(base.entry, self.scratch, copy=link)
        for run in reversed(list(forged.runs)):
            forged.rename(run, seed=run["seed"] + 100 * registration)
            mean = score(run["task"], run["regime"])
            forged.claim(run, [mean] * EPISODES)
        forged.replan()
        if change is not None:
            change(forged)
        forged.sign(key)
        payload = envelope.open_envelope(forged.entry.read_bytes()).payload_sha256
        suite = f"dmc-hard-v{self.board_version(registration)}"
        home = self.folder / "entries" / suite / forged.predicate["plan"]["id"]
        home.parent.mkdir(parents=True, exist_ok=True)
        forged.folder.rename(home)
        changes = {"entry": payload}
        return self.board.entry(registration, key, name=payload, **changes)

    def board_version(self, registration):
        """The suite's version that was registered for."""
        return json.loads(self.board.leaves[registration])["version"]

    def confirm(self, entry, level="L1", runner=False):
        """A re-evaluator, or a runner of the board, measures an entry again."""
        key = self.board.keys.runner if runner else self.board.keys.judge
        fields = {"key": key.key_id, "entry": entry, "level": level}
        return self.board.append(ReevalLeaf, [key], **fields)

    def retract(self, target, key=None, reason=""):
        """A submitter, or the maintainers, take something back."""
        signers = [key] if key else self.board.keys.maintainers[:2]
        fields = {"key": key.key_id if key else None, "target": target}
        return self.board.append(RetractLeaf, signers, reason=reason, **fields)

    def amend(self, entry, key):
        """A note of an entry changes."""
        return self.board.append(AmendLeaf, [key], key=key.key_id, entry=entry)


def drawn(generator, means, spread):
    """A source of scores: `means[regime]` with a normal spread, none outside of 0 to 1000."""
    return lambda task, regime: float(
        np.clip(generator.normal(means[regime], spread), 0.0, 1000.0).round(1)
    )


def varied(tiny_entry, folder):
    """A board with a dozen entries of every fate: ranked, tied, waiting, retracted, disputed."""
    site = SiteBoard(folder)
    generator = np.random.default_rng(7)
    tasks = ("cartpole-balance", "cartpole-swingup")
    base = base_of(tiny_entry, folder / "base", tasks, ("dense", "mst"), 10)
    few = base_of(tiny_entry, folder / "few", tasks, ("dense", "mst"), 5, diagnostics=False)
    three = base_of(tiny_entry, folder / "three", tasks, ("dense", "mst"), 3, diagnostics=False)
    board = site.board
    keys = [
        site.join("Ada Lindqvist", board.keys.submitter, affiliation="Northern Lake University"),
        site.join("Sparse Futures Lab", link="https://example.org/sparse-futures"),
        site.join("Mehmet Yıldız", affiliation="Institute for Patient Machines"),
        site.join("林 美咲", affiliation="東の大学"),
        site.join(),
        site.join("Tidal Robotics", link="https://example.com/tidal"),
    ]
    registrations = []
    for number in range(12):
        registrations.append(site.register(keys[number % 6]))
        site.later(40)
    extra = [site.register(keys[1]) for _ in range(2)]
    blind = site.register(keys[4], blinded=True)
    site.seen()
    site.later(9 * DAY)
    site.retract(extra[0], keys[1], "the wrong image")

    levels = ("L3", "L2", "L1", "L2", "L1", "L1", "L1", "L0", "L1", "L1", "L1", None)
    worth = (810, 790, 760, 700, 690, 640, 600, 720, 560, 520, 480, 450)
    entries = []
    for number, (registration, level) in enumerate(zip(registrations, levels, strict=True)):
        if level is None:
            continue
        means = {"dense": worth[number] - 90.0, "mst": float(worth[number])}
        source = {3: few, 9: three}.get(number, base)
        site.later(DAY // 2)
        entries.append(
            site.enter(source, keys[number % 6], registration, drawn(generator, means, 45.0))
        )
        if level != "L0":
            site.later(DAY // 3)
            site.confirm(entries[-1], level, runner=level == "L3")
    site.amend(entries[1], keys[1])
    site.retract(entries[8], reason="its runs were another submitter's")
    site.later(95 * DAY)
    site.register(keys[0])
    site.seen()
    return dataclasses.replace(Made(site, keys, entries), blind=blind)


@dataclasses.dataclass(frozen=True)
class Made:
    """A board and what is on it."""

    site: SiteBoard
    keys: list
    entries: list
    blind: int = 0
