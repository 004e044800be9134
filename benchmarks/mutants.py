"""Changes one thing in an entry, and signs it again as its forger would (mutations.py).

A mutant changes bytes of a file, or one place of its JSON. The forger holds a key of his own, so
digests, ids and signature fit again. In half of the mutants he is careful: what other files repeat
of the changed one follows too (result and statement, statement and manifest, chain of records,
results.csv).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import random
from dataclasses import dataclass, field
from typing import Any

import rfc8785
from mutant_edits import EDITS, places

from leaderboard.formats import envelope
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.records import CHAIN_START
from leaderboard.formats.run import CSV_COLUMNS

Files = dict[str, bytes]
"""Name of a file, seen from the entry's folder -> content."""

ENVELOPE, PAYLOAD, SIDE = "entry.dsse.json", "payload", "reeval.dsse.json"
"""What a mutant may change besides listed files: the envelope's own spelling, the statement in it,
a re-evaluation beside it."""
SHARED = ("hardware", "versions", "image", "fingerprints", "times", "resumes", "canary", "source")
SHARED_TEXTS = (*SHARED, "nonce", "unranked_because")
"""What statement and manifest both say."""


@dataclass
class Mutant:
    """An entry with one thing changed."""

    where: str
    """The file, by its last name, or `payload`."""
    how: str
    """What was done to it."""
    careful: bool
    """Whether everything that repeats it follows."""
    files: Files = field(default_factory=dict)
    """What has to be written; a mutation may have left nothing to write."""


class Mutator:
    """Makes mutants of one entry. The same seed makes the same mutants."""

    def __init__(self, files: Files, key: SigningKey, seed: int) -> None:
        """`files`: the entry, the files that it lists, and statements beside it."""
        self.files = files
        self.key = key
        self.draws = random.Random(seed)
        opened = envelope.open_envelope(files[ENVELOPE])
        self.statement: dict[str, Any] = json.loads(opened.payload)
        self.kinds = self._by_kind()

    def _by_kind(self) -> dict[str, list[str]]:
        """Last name -> names of files: every kind is mutated as often as every other."""
        kinds: dict[str, list[str]] = {PAYLOAD: [PAYLOAD]}
        for name in self.files:
            kinds.setdefault(name.rpartition("/")[2], []).append(name)
        return kinds

    def mutant(self) -> Mutant:
        """The next one."""
        where = self.draws.choice(sorted(self.kinds))
        name = self.draws.choice(self.kinds[where])
        content = self._payload() if name == PAYLOAD else self.files[name]
        changed, how = self._changed(name, content)
        mutant = Mutant(where, how, self.draws.random() < 0.5)
        if changed != content:
            mutant.files = self._signed(name, changed, mutant.careful)
        return mutant

    def _payload(self) -> bytes:
        return envelope.open_envelope(self.files[ENVELOPE]).payload

    # -- change --

    def _changed(self, name: str, content: bytes) -> tuple[bytes, str]:
        """Other bytes, and what was done to get them."""
        draw = self.draws.random()
        if name.endswith(".safetensors"):
            return self._header(content) if draw < 0.5 else self._bytes(content)
        if name.endswith(".csv") or draw < 0.2:
            return self._bytes(content)
        if name.endswith(".jsonl"):
            return self._line(content)
        return self._json(content)

    def _bytes(self, content: bytes) -> tuple[bytes, str]:
        """A few bytes written otherwise, put in, taken out, doubled, or the end cut off."""
        at = self.draws.randrange(len(content))
        few = self.draws.randbytes(self.draws.randint(1, 4))
        end = at + len(few)
        how = self.draws.choice(["bytes", "byte in", "byte out", "doubled", "cut", "space"])
        changed = {
            "bytes": content[:at] + few + content[end:],
            "byte in": content[:at] + few + content[at:],
            "byte out": content[:at] + content[end:],
            "doubled": content[:end] + content[at:],
            "cut": content[:at],
            "space": content[:at] + b" " + content[at:],
        }[how]
        return changed, how

    def _line(self, content: bytes) -> tuple[bytes, str]:
        """One record changed, or the order of two."""
        lines = content.splitlines(keepends=True)
        at = self.draws.randrange(len(lines))
        if self.draws.random() < 0.2:
            other = self.draws.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
            return b"".join(lines), "order of records"
        record, how = self._json(lines[at])
        lines[at] = record.rstrip(b"\n") + b"\n"
        return b"".join(lines), how

    def _header(self, content: bytes) -> tuple[bytes, str]:
        """The header of a file of tensors."""
        length = int.from_bytes(content[:8], "little")
        header, how = self._json(content[8 : 8 + length])
        header += b" " * (-len(header) % 8)
        return len(header).to_bytes(8, "little") + header + content[8 + length :], f"header: {how}"

    def _json(self, content: bytes) -> tuple[bytes, str]:
        """One place of a JSON document."""
        document = json.loads(content)
        where = list(places(document))
        if not where or self.draws.random() < 0.1:
            return self._spelling(document)
        how = self.draws.choice(list(EDITS))
        container, key = self.draws.choice(where)
        EDITS[how](self.draws, container, key)
        return _dump(document, sort=how != "order of keys"), how

    def _spelling(self, document: Any) -> tuple[bytes, str]:
        """The same document, written otherwise."""
        how = self.draws.choice(["indented", "escaped", "key doubled"])
        text = _dump(document).decode(errors="surrogatepass")
        if how == "indented":
            text = json.dumps(document, indent=1)
        elif how == "escaped":
            text = text.replace("e", "\\u0065", 1)
        else:
            text = text.replace("{", '{"x":1,"x":2,', 1)
        return text.encode(errors="surrogatepass"), how

    # -- sign again --

    def _signed(self, name: str, content: bytes, careful: bool) -> Files:
        """The files to write: the changed one, those that follow, and the entry."""
        if name in (ENVELOPE, SIDE):
            return {name: self._side(content) if name == SIDE and careful else content}
        files: Files = {}
        statement = json.loads(json.dumps(self.statement))
        if name == PAYLOAD:
            try:
                statement = json.loads(content)
            except ValueError:
                return {ENVELOPE: self._sealed(content)}
        else:
            files[name] = content
        try:
            if careful:
                self._follow(name, files, statement)
            self._digests(files, statement)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            pass  # what was changed cannot be followed: he signs it as it is
        spelled = content if name == PAYLOAD and not files else _dump(statement)
        return {**files, ENVELOPE: self._sealed(spelled)}

    def _sealed(self, payload: bytes) -> bytes:
        """An envelope around a payload, which names the forger where it can."""
        try:
            document = json.loads(payload)
            document["predicate"]["signer"]["public_key"] = self.key.public_hex
            named = _dump(document)
        except (KeyError, TypeError, ValueError):
            named = payload
        return json.dumps(envelope.sign(named, self.key)).encode()

    def _side(self, content: bytes) -> bytes:
        """A side statement with something else in it, signed by the forger."""
        try:
            payload = base64.b64decode(json.loads(content)["payload"])
            changed, _ = self._json(payload)
            return self._sealed(changed)
        except (KeyError, TypeError, ValueError):
            return content

    def _digests(self, files: Files, statement: dict[str, Any]) -> None:
        """Digests and ids of changed files."""
        for subject in statement["subject"]:
            if subject["name"] in files:
                subject["digest"]["sha256"] = _digest(files[subject["name"]])
        if "plan.json" in files:
            digest = _digest(files["plan.json"])
            statement["predicate"]["plan"] |= {"id": digest[:16], "sha256": digest}

    def _follow(self, name: str, files: Files, statement: dict[str, Any]) -> None:
        """What other files repeat of a changed one."""
        predicate = statement["predicate"]
        last = name.rpartition("/")[2]
        if last == "plan.json":
            plan = json.loads(files[name])
            files[name] = rfc8785.dumps(plan)
            predicate["budget"] = plan["budget"]
            self._manifest(files, {"plan": _digest(files[name])[:16]})
        elif last == "suite.json":
            suite = json.loads(files[name])
            predicate["suite"] = {key: suite[key] for key in ("name", "version", "changes")}
        elif last == "manifest.json":
            manifest = json.loads(files[name])
            predicate |= {key: manifest[key] for key in SHARED_TEXTS}
        elif last == "records.jsonl":
            files[name], head = _chained(files[name])
            run = _run_of(predicate, name)
            run["chain_head"] = head
            files[name.replace("records.jsonl", "result.json")] = _dump(run)
        elif last == "result.json":
            run = _run_of(predicate, name)
            result = json.loads(files[name])
            run.clear()
            run.update(result)
        elif name == PAYLOAD:
            self._manifest(files, {key: predicate[key] for key in SHARED_TEXTS})
            for run in predicate["runs"]:
                result = f"runs/{run['task']}/{run['regime']}/{run['seed']}/result.json"
                if result in self.files:
                    files[result] = _dump(run)
        files["results.csv"] = files.get("results.csv", _table(predicate["runs"]))

    def _manifest(self, files: Files, changes: dict[str, Any]) -> None:
        files["manifest.json"] = _dump(json.loads(self.files["manifest.json"]) | changes)


# -- documents --


def _dump(document: Any, sort: bool = True) -> bytes:
    text = json.dumps(document, sort_keys=sort, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogatepass") + b"\n"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _chained(content: bytes) -> tuple[bytes, str]:
    """Records whose chain is whole again, and the digest of the last."""
    head = CHAIN_START
    lines = list[bytes]()
    for line in content.splitlines():
        lines.append(_dump(json.loads(line) | {"before": head}))
        head = _digest(lines[-1])
    return b"".join(lines), head


def _run_of(predicate: dict[str, Any], name: str) -> dict[str, Any]:
    """The run in whose folder a file lies."""
    _, task, regime, seed, _ = name.split("/")
    for run in predicate["runs"]:
        if (run["task"], run["regime"], run["seed"]) == (task, regime, int(seed)):
            found: dict[str, Any] = run
            return found
    raise KeyError(name)


def _table(runs: list[dict[str, Any]]) -> bytes:
    """results.csv of runs, whatever they state."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for run in runs:
        points = "" if run["score"] is None else repr(run["score"])
        counts = ";".join(f"{name}={count}" for name, count in sorted(run["updates"].items()))
        names = (run["task"], run["regime"], run["seed"], run["status"])
        writer.writerow([*names, points, run["environment_steps"], counts])
    return text.getvalue().encode()
