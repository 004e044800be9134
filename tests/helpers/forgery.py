"""A forger at work: a copy of an entry in which anything is told otherwise, signed with his key.

He holds a key of his own and knows the formats, so whatever follows from his lie he makes fit:
records, results, the table, digests and ids. What a test wants to leave wrong, it writes last.
"""

import csv
import hashlib
import io
import json
import shutil

import rfc8785

from harness.files import digest_bytes, dump_json
from helpers.forge import signed, statement_of
from leaderboard.formats import envelope, keys
from leaderboard.formats.records import CHAIN_START
from leaderboard.formats.run import CSV_COLUMNS, score
from leaderboard.verification.verify import verify

FORGER = keys.one_use_key()
"""Whoever holds any key at all."""
ORIGIN = ("hardware", "versions", "image", "fingerprints", "times", "resumes", "canary", "source")
"""What statement and manifest both say."""


class Forgery:
    """An entry to be forged. Change `plan`, `suite`, `manifest`, `predicate` and `runs`, which are
    plain data; then `sign`."""

    def __init__(self, entry, parent, copy=shutil.copy2):
        """Copies `entry` and the files beside it under `parent`; `copy`: how a file is."""
        self.folder = parent / "forged"
        unsigned = shutil.ignore_patterns("cohorts*")
        shutil.copytree(entry.parent, self.folder, ignore=unsigned, copy_function=copy)
        self.entry = self.folder / entry.name
        self.key = FORGER
        self.statement = statement_of(self.entry)
        self.predicate = self.statement["predicate"]
        self.plan = self._read("plan.json")
        self.suite = self._read("suite.json")
        self.manifest = self._read("manifest.json")
        self.record = lambda run, record: record
        """Changes a record of a run before the chain is made anew."""
        self.files = {}
        """Bytes of files that are written last, as they are: name -> content."""
        self.unlisted = set()
        """Names of files that are not signed."""
        self.listed = []
        """Further subjects of the statement."""

    def _read(self, name):
        return json.loads((self.folder / name).read_bytes())

    # -- runs --

    @property
    def runs(self):
        """Every run, as the statement has it."""
        return self.predicate["runs"]

    def run(self, regime, seed=0):
        """The run of a regime and seed."""
        (run,) = [run for run in self.runs if (run["regime"], run["seed"]) == (regime, seed)]
        return run

    def path(self, run, file=""):
        """The folder of a run, or a file in it."""
        return self.folder / "runs" / run["task"] / run["regime"] / str(run["seed"]) / file

    def rename(self, run, **names):
        """Gives a run another task, regime or seed, in its folder's name too."""
        before = self.path(run)
        run.update(names)
        self.path(run).parent.mkdir(parents=True, exist_ok=True)
        before.rename(self.path(run))

    def leave_out(self, run):
        """A run that was never planned."""
        shutil.rmtree(self.path(run))
        self.runs.remove(run)
        self.replan()

    def replan(self):
        """Plans exactly the runs that are stated."""
        names = ("task", "regime", "seed")
        self.plan["runs"] = [{name: run[name] for name in names} for run in self.runs]

    def copy_run(self, source, target):
        """`target` has files and figures of `source`, under its own name."""
        own = {name: target[name] for name in ("task", "regime", "seed")}
        shutil.rmtree(self.path(target))
        shutil.copytree(self.path(source), self.path(target))
        target.clear()
        target.update(json.loads(json.dumps(source)) | own)

    def same_network(self, source, target):
        """Every run of the regime `target` has the network of `source`, in the plan too."""
        for table in (self.plan["networks"], self.plan["sizes"]):
            for group in list(table):
                task, _, regime = group.partition("/")
                if regime == target:
                    table[group] = json.loads(json.dumps(table[f"{task}/{source}"]))

    def call_suite(self, name, version=1):
        """Says that the plan is that of a suite, unchanged."""
        self.suite |= {"name": name, "version": version, "changes": [], "claims": []}
        return self

    def claim(self, run, returns):
        """A run's final policy had these returns."""
        run["final_returns"] = list(returns)
        run["score"] = score(run["final_returns"])

    def lose(self, run):
        """A run is missing, its files are gone."""
        shutil.rmtree(self.path(run))
        for name, value in run.items():
            if isinstance(value, dict):
                run[name] = {}
            elif isinstance(value, list):
                run[name] = []
        counts = {"environment_steps": 0, "members": 0}
        run.update(counts, status="missing", failure=None, score=None, chain_head=None)

    def fail(self, run, failure):
        """A run failed, for a reason of the forger's or for none."""
        run.update(status="failed", failure=failure, score=None, final_returns=[])

    # -- signing --

    def elsewhere(self):
        """Says that the entry comes from another kind of machine."""
        self.predicate["hardware"]["cpu"] = "another"
        return self

    def sign(self, key=None):
        """Makes everything fit and signs it; returns the forgery."""
        self.key = key or self.key
        contents = dict(self._run_files())
        contents["plan.json"] = rfc8785.dumps(self.plan)
        contents["suite.json"] = dump_json(self.suite)
        contents["results.csv"] = table(self.runs)
        digest = digest_bytes(self.files.get("plan.json", contents["plan.json"]))
        self._tell_alike(digest)
        contents["manifest.json"] = dump_json(self.manifest)

        for name, content in (contents | self.files).items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)
        self.statement["subject"] = [*self._subjects(), *self.listed]
        self.predicate["signer"] = {"public_key": self.key.public_hex, "one_use": False}
        self.entry.write_bytes(signed(self.statement, self.key))
        return self

    def _run_files(self):
        """Results and records, the chain made anew with the stated ending."""
        for run in self.runs:
            if run["status"] == "missing":
                continue
            records, run["chain_head"] = self._chained(run)
            name = self.path(run).relative_to(self.folder).as_posix()
            yield f"{name}/records.jsonl", records
            yield f"{name}/result.json", dump_json(run)

    def _chained(self, run):
        """The records of a run and the digest of the last."""
        lines = []
        head = CHAIN_START
        for line in self.path(run, "records.jsonl").read_bytes().splitlines():
            record = json.loads(line)
            if record["kind"] == "final":
                record = self._ending(run, record)
            lines.append(dump_json(self.record(run, record) | {"before": head}))
            head = digest_bytes(lines[-1])
        return b"".join(lines), head

    def _ending(self, run, final):
        """The last record of a run, as it is stated to have ended."""
        if run["status"] == "finished":
            return final | {"returns": run["final_returns"]}
        failure = run["failure"] or {"agent_step": 0, "reason": ""}
        names = ("agent_step", "reason")
        return {"kind": "failure"} | {name: failure[name] for name in names}

    def _tell_alike(self, plan_digest):
        """Statement and manifest name this plan and suite, and one origin."""
        names = ("name", "version", "changes")
        self.predicate["suite"] = {name: self.suite[name] for name in names}
        self.predicate["plan"] |= {"id": plan_digest[:16], "sha256": plan_digest}
        self.predicate["budget"] = self.plan["budget"]
        shared = {name: self.predicate[name] for name in ORIGIN}
        self.manifest |= shared | {"plan": plan_digest[:16]}

    def _subjects(self):
        """Every file that an entry lists, with its digest."""
        names = ["plan.json", "suite.json", "manifest.json", "results.csv"]
        for run in self.runs:
            if run["status"] != "missing":
                files = sorted(self.path(run).iterdir())
                names += [path.relative_to(self.folder).as_posix() for path in files]
        listed = [name for name in dict.fromkeys(names) if name not in self.unlisted]
        return [subject(name, (self.folder / name).read_bytes()) for name in listed]

    def resign(self, payload):
        """Signs a payload that is no statement of ours, byte for byte."""
        self.entry.write_bytes(signed_bytes(payload, self.key))
        return self

    def verdict(self, **options):
        """What `verify` says of it."""
        return verify(self.entry, **options)


def subject(name, content):
    """A subject of a statement."""
    return {"name": name, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}


def signed_bytes(payload, key):
    """The bytes of an envelope around any payload."""
    return json.dumps(envelope.sign(payload, key)).encode()


def table(runs):
    """results.csv of stated runs, whatever they state."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for run in runs:
        points = "" if run["score"] is None else repr(run["score"])
        updates = run["updates"]
        counts = ";".join(f"{module}={updates[module]}" for module in sorted(updates))
        names = (run["task"], run["regime"], run["seed"], run["status"])
        writer.writerow([*names, points, run["environment_steps"], counts])
    return text.getvalue().encode(errors="surrogatepass")
