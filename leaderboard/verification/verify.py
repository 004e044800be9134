"""`verify`: every check on an entry, by name. Offline, and without loading anything that could run a submission's code.

A signature proves who signed and that nothing changed since; the checks after it prove that the figures follow from the
files. That the files were earned takes re-evaluation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from leaderboard.formats import envelope, keys, strict_json
from leaderboard.formats.reeval import read_reeval
from leaderboard.formats.release import read_release
from leaderboard.formats.signed import SignedError
from leaderboard.formats.statement import defects, results_csv, score

CHAIN_START = "0" * 64
LARGEST_ENTRY = 256 << 20


@dataclass(frozen=True)
class Check:
    """One named check and how it went."""

    name: str
    status: Literal["passed", "failed", "unknown"]
    detail: str


@dataclass
class Verdict:
    """The list of checks that ran on an entry."""

    entry: str
    checks: list[Check] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return all(check.status != "failed" for check in self.checks)

    @property
    def level(self) -> str:
        """How far an accepted entry was checked: L0 signed and consistent, L1 re-evaluated, L2 partly retrained."""
        found = [
            check.detail[:2]
            for check in self.checks
            if (check.name, check.status) == ("reeval", "passed")
        ]
        return found[0] if found else "L0"


CLAIM = {"claim", "regime", "than", "relation", "figure"}
"""Keys of a claim in a plan."""


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 1000


class Defect(ValueError):
    """A check failed; the text says how."""


class _Entry:
    """What the checks share: the parsed entry and its folder. Later checks rely on earlier ones having passed."""

    def __init__(
        self,
        path: Path,
        trust: Path | None,
        release: Path | None,
        complete: bool,
        reeval: Path | None,
    ) -> None:
        self.path, self.folder, self.trust = path, path.parent, trust
        self.release, self.complete, self.reeval = release, complete, reeval
        self.envelope: dict[str, Any] = {}
        self.statement: dict[str, Any] = {}
        self.subjects: dict[str, str] = {}

    @property
    def predicate(self) -> dict[str, Any]:
        predicate: dict[str, Any] = self.statement["predicate"]
        return predicate

    def file(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def json(self, name: str) -> Any:
        try:
            return strict_json.parse(self.file(name))
        except ValueError as error:
            raise Defect(f"{name}: {error}") from None


def verify(
    path: Path,
    trust: Path | None = None,
    release: Path | None = None,
    complete: bool = False,
    reeval: Path | None = None,
) -> Verdict:
    """Run every check on the entry at `path`, whose files lie beside it. Stops at the first check that fails.

    `trust`: a trust file; without it the signer's key is reported as unknown. `release`: the release statement of an image;
    without it nobody vouches for the image that the entry names. `complete`: tensors that are not there are a failure.
    `reeval`: a re-evaluation of the entry, without which it is L0. Raises OSError if one of these files cannot be read and
    KeyFileError for a bad trust file.
    """
    entry = _Entry(path, trust, release, complete, reeval)
    verdict = Verdict(str(path))
    for name, check in CHECKS.items():
        try:
            status, detail = check(entry)
        except (Defect, envelope.EnvelopeError, SignedError) as error:
            verdict.checks.append(Check(name, "failed", str(error)))
            break
        except (KeyError, TypeError, AttributeError) as error:
            # the statement has a schema; the files it signs are read as they come, and a forger shapes them at will
            verdict.checks.append(
                Check(
                    name, "failed", f"a signed file does not hold what this check reads ({error!r})"
                )
            )
            break
        verdict.checks.append(Check(name, status, detail))
    return verdict


Outcome = tuple[Literal["passed", "unknown"], str]


def _envelope(entry: _Entry) -> Outcome:
    data = entry.path.read_bytes()
    if len(data) > LARGEST_ENTRY:
        raise Defect(f"the entry has {len(data)} bytes, at most {LARGEST_ENTRY} are read")
    entry.envelope = envelope.open_envelope(data)
    return "passed", "one signature, canonical form"


def _statement(entry: _Entry) -> Outcome:
    try:
        statement = strict_json.parse(envelope.payload(entry.envelope))
    except ValueError as error:
        raise Defect(f"the payload is not JSON: {error}") from None
    found = defects(statement)
    if found:
        raise Defect(f"{found[0]}" + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))
    entry.statement = statement
    return "passed", f"{statement['predicateType']}"


def _signature(entry: _Entry) -> Outcome:
    signer = entry.predicate["signer"]
    envelope.check_signature(entry.envelope, signer["public_key"])
    if signer["key_id"] != entry.envelope["signatures"][0]["keyid"]:
        raise Defect("the payload names another key id than the envelope")
    return "passed", f"Ed25519, key {signer['key_id'][:16]}"


def _key(entry: _Entry) -> Outcome:
    signer = entry.predicate["signer"]
    if entry.trust is None:
        return "unknown", "one-use key" if signer["one_use"] else "no --trust file was given"
    trusted = keys.load_trust(entry.trust)
    if signer["key_id"] not in trusted:
        raise Defect(f"key {signer['key_id'][:16]} is not in {entry.trust}")
    return "passed", trusted[signer["key_id"]]


def _files(entry: _Entry) -> Outcome:
    names = [subject["name"] for subject in entry.statement["subject"]]
    if len(set(names)) != len(names):
        raise Defect("a file is listed twice")
    root = entry.folder.resolve()
    for subject in entry.statement["subject"]:
        name = subject["name"]
        path = entry.folder / name
        if ".." in name.split("/") or not path.resolve().is_relative_to(root):
            raise Defect(f"{name}: points outside the entry's folder")
        if not path.is_file():
            raise Defect(f"{name}: is missing")
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != subject["digest"]["sha256"]:
                raise Defect(f"{name}: its bytes are not those that were signed")
        entry.subjects[name] = subject["digest"]["sha256"]
    for needed in ("plan.json", "manifest.json", "results.csv"):
        if needed not in entry.subjects:
            raise Defect(f"{needed}: is not among the signed files")
    return "passed", f"{len(names)} files as signed"


def _plan(entry: _Entry) -> Outcome:
    digest = entry.subjects["plan.json"]
    stated = entry.predicate["plan"]
    if stated["sha256"] != digest or stated["id"] != digest[:16]:
        raise Defect("the plan's id is not the digest of plan.json")
    plan = entry.json("plan.json")
    suite = entry.predicate["suite"]
    if (plan["suite"], plan["version"], plan["changes"]) != (
        suite["name"],
        suite["version"],
        suite["changes"],
    ):
        raise Defect("suite, version or changes are not those of plan.json")
    claims = plan["claims"]
    if not isinstance(claims, list) or any(
        set(claim) != CLAIM or not all(map(_text, claim.values())) for claim in claims
    ):
        raise Defect("plan.json: its claims are not made of texts")
    if plan["budget"] != entry.predicate["budget"]:
        raise Defect("the budget is not that of plan.json")
    if (plan["changes"] or plan["seed_source"] == "suite") and entry.predicate["ranked"]:
        raise Defect(
            "the entry calls itself ranked, but its suite was changed or its seeds are not from the log"
        )
    return "passed", f"{stated['id']}, suite {suite['name']} version {suite['version']}"


def _image(entry: _Entry) -> Outcome:
    stated = entry.predicate["image"]
    if stated is None:
        if entry.predicate["ranked"] or entry.release is not None:
            raise Defect("the entry does not come from a reference image")
        return "unknown", "not from a reference image"
    digest = stated["content_sha256"]
    if entry.release is None:
        return (
            "unknown",
            f"{stated['variant']} image of content {digest[:16]}, no --release file was given",
        )
    released = read_release(entry.release, entry.trust)
    if (released["content_sha256"], released["variant"]) != (digest, stated["variant"]):
        raise Defect(
            f"{entry.release}: is the release of another image than the entry's, content {digest[:16]}"
        )
    return (
        "passed",
        f"release {released['version']} ({released['variant']}), commit {released['commit'][:12]}",
    )


def _runs(entry: _Entry) -> Outcome:
    planned = [(run["task"], run["regime"], run["seed"]) for run in entry.json("plan.json")["runs"]]
    stated = [(run["task"], run["regime"], run["seed"]) for run in entry.predicate["runs"]]
    if planned != stated:
        raise Defect(
            f"{len(stated)} runs are stated, not exactly the {len(planned)} planned ones in their order"
        )
    for run in entry.predicate["runs"]:
        result = _run_name(run, "result.json")
        if run["status"] == "missing":
            if result in entry.subjects or run["final_returns"] or run["score"] is not None:
                raise Defect(f"{_run_name(run)}: is called missing, but has a result")
            continue
        for name in ("result.json", "records.jsonl"):
            if _run_name(run, name) not in entry.subjects:
                raise Defect(f"{_run_name(run, name)}: is not among the signed files")
        if entry.json(result) != run:
            raise Defect(f"{result}: is not what the entry states")
    counts = {
        status: sum(run["status"] == status for run in entry.predicate["runs"])
        for status in ("finished", "failed", "missing")
    }
    return "passed", ", ".join(f"{count} {status}" for status, count in counts.items())


def _records(entry: _Entry) -> Outcome:
    total = 0
    for run in _present(entry):
        name = _run_name(run, "records.jsonl")
        head, last = CHAIN_START, {}
        for number, line in enumerate(entry.file(name).splitlines(keepends=True), 1):
            try:
                last = strict_json.parse(line)
            except ValueError as error:
                raise Defect(f"{name}:{number}: {error}") from None
            if last.get("before") != head:
                raise Defect(f"{name}:{number}: the chain of records is broken")
            head = hashlib.sha256(line).hexdigest()
            total += 1
        if head != run["chain_head"]:
            raise Defect(f"{name}: ends in another record than the entry states")
        if run["status"] == "finished" and (
            last.get("kind") != "final" or last.get("returns") != run["final_returns"]
        ):
            raise Defect(f"{name}: its last record does not hold the final returns")
    return "passed", f"{total} records in unbroken chains"


def _budgets(entry: _Entry) -> Outcome:
    plan = entry.json("plan.json")
    budget, episodes = plan["budget"], plan["evaluation"]["final_episodes"]
    for run in _present(entry):
        if run["status"] != "finished":
            continue
        if run["environment_steps"] != budget["environment_steps"]:
            raise Defect(
                f"{_run_name(run)}: {run['environment_steps']} environment steps, planned {budget['environment_steps']}"
            )
        if run["updates"] != budget["updates"]:
            raise Defect(f"{_run_name(run)}: updates {run['updates']}, planned {budget['updates']}")
        size = plan["sizes"][f"{run['task']}/{run['regime']}"]
        for stated, planned in (
            ("parameters", ("parameters", "active")),
            ("flops", ("flops", "active_flops")),
        ):
            if [run[stated].get(key) for key in ("total", "active")] != [
                size[key] for key in planned
            ]:
                raise Defect(
                    f"{_run_name(run)}: {stated} {run[stated]}, planned {[size[key] for key in planned]}"
                )
        if len(run["final_returns"]) != episodes:
            raise Defect(
                f"{_run_name(run)}: {len(run['final_returns'])} final episodes, planned {episodes}"
            )
    return (
        "passed",
        f"{budget['environment_steps']} environment steps, {budget['updates']['critic']} critic updates each",
    )


def _scores(entry: _Entry) -> Outcome:
    runs = entry.predicate["runs"]
    for run in runs:
        if run["status"] == "finished":
            recomputed = score(run["final_returns"])
            if recomputed != run["score"]:
                raise Defect(
                    f"{_run_name(run)}: score {run['score']} is stated, its episodes give {recomputed}"
                )
        elif run["score"] is not None or run["final_returns"]:
            raise Defect(f"{_run_name(run)}: is {run['status']} and states a score")
    if results_csv(runs) != entry.file("results.csv"):
        raise Defect("results.csv: is not what the runs give")
    return "passed", "recomputed from the episodes' returns"


def _tensors(entry: _Entry) -> Outcome:
    from leaderboard.verification.tensors import (  # arrays are not needed for the other checks
        TENSORS,
        audit,
    )

    regimes, absent = entry.json("plan.json")["regimes"], 0
    for run in _present(entry):
        there = [name for name in TENSORS if _run_name(run, name) in entry.subjects]
        if not there:
            absent += 1
            continue
        if len(there) < len(TENSORS):
            raise Defect(
                f"{_run_name(run)}: has {', '.join(there)}, but not all of {', '.join(TENSORS)}"
            )
        try:
            audit(entry.folder / _run_name(run), run, regimes[run["regime"]])
        except (ValueError, ArithmeticError) as error:  # also what a forged plan's numbers lead to
            raise Defect(f"{_run_name(run)}: {error}") from None
    if absent and entry.complete:
        raise Defect(f"absent for {absent} runs")
    if absent:
        return "unknown", f"absent, not checked, for {absent} of {len(_present(entry))} runs"
    return "passed", "densities, masks and rewires recomputed from the tensors"


def _simulation(entry: _Entry) -> Outcome:
    tasks, stated = list(entry.json("plan.json")["observations"]), entry.predicate["fingerprints"]
    if set(stated) != set(tasks):
        raise Defect(
            f"states fingerprints of {', '.join(stated) or 'no task'}, its plan has {', '.join(tasks)}"
        )
    kind = str(entry.predicate["hardware"].get("architecture"))
    text = (
        resources.files("leaderboard.verification")
        .joinpath("fingerprints.json")
        .read_text(encoding="utf-8")
    )
    recorded = json.loads(text).get(kind, {})
    other = [task for task in tasks if recorded.get(task) not in (None, stated[task])]
    if other and entry.predicate["ranked"]:
        raise Defect(
            f"calls itself ranked, but {', '.join(other)} was simulated with other bits than recorded for {kind}"
        )
    if other:
        return (
            "unknown",
            f"{', '.join(other)} was simulated with other bits than recorded for {kind}",
        )
    absent = [task for task in tasks if task not in recorded]
    if absent:
        return "unknown", f"nothing is recorded for {', '.join(absent)} on {kind}"
    return "passed", f"{len(tasks)} tasks as recorded for {kind}"


def _reeval(entry: _Entry) -> Outcome:
    if entry.reeval is None:
        return "unknown", "no --reeval file was given"
    found = read_reeval(
        entry.reeval, hashlib.sha256(entry.path.read_bytes()).hexdigest(), entry.trust
    )
    names = {_run_name(run, "policy.safetensors") for run in _present(entry)}
    level = found["level"] if names <= set(entry.subjects) else "L0"
    repeated = sum(run["repeated"] for run in found["runs"])
    signer = found["signer"]["key_id"][:16]
    return (
        "passed",
        f"{level}, {repeated} of {len(found['runs'])} policies repeated to the bit, key {signer}",
    )


def _run_name(run: dict[str, Any], file: str = "") -> str:
    name = f"runs/{run['task']}/{run['regime']}/{run['seed']}"
    return f"{name}/{file}" if file else name


def _present(entry: _Entry) -> list[dict[str, Any]]:
    return [run for run in entry.predicate["runs"] if run["status"] != "missing"]


CHECKS: dict[str, Callable[[_Entry], Outcome]] = {
    "envelope": _envelope,
    "statement": _statement,
    "signature": _signature,
    "key": _key,
    "files": _files,
    "plan": _plan,
    "image": _image,
    "runs": _runs,
    "records": _records,
    "budgets": _budgets,
    "scores": _scores,
    "simulation": _simulation,
    "tensors": _tensors,
    "reeval": _reeval,
}
"""Check name -> check, in the order they run."""
