"""Boards with entries, for their site: real folders that verify, made from one short run.

Scores are made up, and signed like any others. Nothing here was registered before it ran, so tests
that need ranks judge with `proven`.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from helpers.boards import DAY, Keys, new_board
from helpers.forgery import Forgery
from leaderboard.formats import envelope
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.leaf import AmendLeaf, ReevalLeaf, RetractLeaf
from leaderboard.formats.mirrors import TENSORS_SCHEMA
from leaderboard.formats.person import PERSON_SCHEMA
from leaderboard.verification.checks import Check
from leaderboard.verification.verify import verify

IMAGE = "ab" * 32
"""Content of the image that all entries name."""
EPISODES = 2
"""Of a final policy."""


def proven(path, **options):
    """What `verify` says of an entry, as if its registration were proven."""
    verdict = verify(path, **options)
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
    """An entry with a run for each task, regime and seed, copied from runs of one task and seed."""
    parent.mkdir(parents=True)
    forged = Forgery(tiny_entry, parent)
    (task,) = forged.plan["observations"]
    plan = forged.plan
    copied = {run["regime"]: run for run in forged.runs}
    for table in ("networks", "sizes"):
        rows = plan[table]
        plan[table] = {f"{t}/{r}": rows[f"{task}/{r}"] for t in tasks for r in regimes}
    plan["regimes"] = {regime: plan["regimes"][regime] for regime in regimes}
    plan["observations"] = dict.fromkeys(tasks, plan["observations"][task])
    prints = forged.predicate["fingerprints"]
    forged.predicate["fingerprints"] = dict.fromkeys(tasks, prints[task])

    # Files of the first run are those of all.
    runs = []
    shutil.move(forged.folder / "runs", forged.folder / "before")
    for name in tasks:
        for regime in regimes:
            for seed in range(seeds):
                run = json.loads(json.dumps(copied[regime])) | {"task": name, "seed": seed}
                forged.path(run).parent.mkdir(parents=True, exist_ok=True)
                source = forged.folder / "before" / task / regime / "0"
                shutil.copytree(source, forged.path(run))
                scale(forged.path(run), 1.0 + seed / 64)
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


def scale(folder, factor):
    """Gives a run policies of its own, as sparse as they were: no two runs end with the same."""
    for path in folder.glob("*.safetensors"):
        if path.name != "masks.safetensors":
            weights = load_file(path)
            save_file({name: weights[name] * np.float32(factor) for name in weights}, path)


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
        self.plan_id = ""
        """Of the entry that was accepted last."""

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
        person = {"schema": PERSON_SCHEMA, "name": name, "affiliation": affiliation}
        person |= {"link": link, "at": 0}
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
        self.plan_id = forged.predicate["plan"]["id"]
        home = self.folder / "entries" / suite / self.plan_id
        home.parent.mkdir(parents=True, exist_ok=True)
        forged.folder.rename(home)
        changes = {"entry": payload}
        return self.board.entry(registration, key, name=payload, **changes)

    def board_version(self, registration):
        """The suite's version that was registered for."""
        return json.loads(self.board.leaves[registration])["version"]

    def confirm(self, entry, level="L1", runner=False, measured="cd" * 32):
        """A re-evaluator, or a runner of the board, measures an entry again."""
        key = self.board.keys.runner if runner else self.board.keys.judge
        fields = {"key": key.key_id, "entry": entry, "level": level, "measured": measured}
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


HOSTILE = "<script>window.hacked=1</script>\"'&<img src=x onerror=hacked=2>{{7*7}}"
"""A name that a page must show as it is."""
STEERING = "\u202e\u2066\x1b[31m\x07\r\n"
"""Characters that turn the direction of text, or steer a terminal."""


def small(tiny_entry, folder):
    """A board of three entries: ranked, waiting, retracted. What is on it."""
    site = SiteBoard(folder)
    generator = np.random.default_rng(3)
    base = base_of(
        tiny_entry, folder / "base", ("cartpole-swingup",), ("dense", "mst"), 5, diagnostics=False
    )
    key = site.join("Ada Lindqvist", site.board.keys.submitter, affiliation="Lake University")
    nameless = site.join("")  # it was taken back
    registered = [site.register(key), site.register(nameless), site.register(key)]
    site.register(nameless, blinded=True)
    site.seen()
    site.later(9 * DAY)
    source = drawn(generator, {"dense": 300.0, "mst": 700.0}, 20.0)
    ranked, waiting, retracted = (
        site.enter(base, each, index, source)
        for each, index in zip((key, nameless, key), registered, strict=True)
    )
    site.confirm(ranked)
    site.confirm(retracted)
    site.retract(retracted, reason="its runs were another submitter's")
    site.seen()
    return {
        "ranked": ranked,
        "waiting": waiting,
        "retracted": retracted,
        "key": key.key_id,
        "nameless": nameless.key_id,
    }


CROWD = int(os.environ.get("MST_BENCH_TEST_ENTRIES", "40"))
"""Entries of the large board."""


def crowded(tiny_entry, folder, count=CROWD):
    """A board of many entries, the last of which has hostile names everywhere. What is on it."""
    site = SiteBoard(folder)
    generator = np.random.default_rng(5)
    base = base_of(
        tiny_entry, folder / "base", ("cartpole-swingup",), ("dense", "mst"), 5, diagnostics=False
    )
    keys = [site.join(f"Group {number}") for number in range(40)]
    hostile = site.join(HOSTILE, affiliation=f"{HOSTILE[:60]} אבג")
    steering = site.join()
    name = {"schema": PERSON_SCHEMA, "name": STEERING, "affiliation": "", "link": None, "at": 0}
    (site.people / f"{steering.key_id[:16]}.json").write_text(json.dumps(name))
    owners = [*(keys[number % 40] for number in range(count - 2)), steering, hostile]
    registered = [site.register(key) for key in owners]
    site.seen()
    site.later(9 * DAY)
    entries = []
    for key, index in zip(owners, registered, strict=True):
        worth = float(generator.uniform(200.0, 800.0))
        source = drawn(generator, {"dense": worth - 60.0, "mst": worth}, 30.0)
        change = steer if key in (hostile, steering) else None
        entries.append(site.enter(base, key, index, source, change))
    for number, entry in enumerate(entries):
        if number % 4 != 1:
            site.confirm(entry, ("L1", "L2")[number % 2])
    (last,) = (site.folder / "entries").glob(f"*/{site.plan_id}")
    mirrors = ["https://example.org/&lt;script&gt;"]  # the most hostile address that `verify` takes
    kept = {"schema": TENSORS_SCHEMA, "mirrors": mirrors, "tensors": []}
    (last / "tensors.json").write_text(json.dumps(kept))
    site.amend(entries[0], owners[0])
    site.retract(entries[1], reason=HOSTILE)
    site.seen()
    return {
        "entries": entries,
        "hostile": entries[-1],
        "key": hostile.key_id,
        "steering": steering.key_id,
    }


def steer(forged):
    """Tells hostile texts wherever an entry may tell any."""
    hardware = forged.predicate["hardware"]
    hardware["cpu"] = hardware["architecture"] = HOSTILE + STEERING
    hardware["gpus"] = hardware["cpu_flags"] = [HOSTILE + STEERING]
    forged.predicate["versions"] = {HOSTILE + STEERING: HOSTILE}
    forged.predicate["source"]["commit"] = HOSTILE + STEERING
    forged.suite["changes"] = [HOSTILE + STEERING]
