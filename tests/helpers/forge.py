"""Entries whose maker lies, signed properly."""

import hashlib
import json

from harness.files import dump_json, write_atomic
from leaderboard.formats import envelope, keys
from leaderboard.formats.document import build
from leaderboard.formats.run import StatedRun, results_csv, score
from leaderboard.verification.verify import verify


def statement_of(entry):
    return json.loads(envelope.open_envelope(entry.read_bytes()).payload)


def table_of(statement):
    """results.csv of the runs of a statement."""
    return results_csv(build(StatedRun, run, "run") for run in statement["predicate"]["runs"])


def resign(entry, change, key=None):
    """An entry whose maker lies: the statement is changed, then signed properly."""
    key = key or keys.one_use_key()
    statement = statement_of(entry)
    statement["predicate"]["signer"] = {
        "key_id": key.key_id,
        "public_key": key.public_hex,
        "one_use": key.one_use,
    }
    change(statement)
    entry.write_text(json.dumps(envelope.sign(json.dumps(statement).encode(), key)))
    return verify(entry)


def restate(entry, name, data):
    """Change a listed file and its digest in the statement."""
    (entry.parent / name).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()

    def change(statement):
        for subject in statement["subject"]:
            if subject["name"] == name:
                subject["digest"]["sha256"] = digest

    return change


def failed(verdict):
    assert not verdict.accepted
    return verdict.checks[-1].name


def forge_returns(folder, change_returns, manifest=None):
    """Sign the folder again with other final returns, everything that follows from them made to
    fit."""
    files = {}

    def change(statement):
        predicate = statement["predicate"]
        for run in predicate["runs"]:
            name = f"runs/{run['task']}/{run['regime']}/{run['seed']}"
            lines = (folder / name / "records.jsonl").read_bytes().splitlines(keepends=True)
            last = json.loads(lines[-1])
            run["final_returns"] = last["returns"] = change_returns(run["final_returns"])
            run["score"] = score(run["final_returns"])
            lines[-1] = dump_json(last)
            run["chain_head"] = hashlib.sha256(lines[-1]).hexdigest()
            files[f"{name}/records.jsonl"], files[f"{name}/result.json"] = (
                b"".join(lines),
                dump_json(run),
            )
        files["results.csv"] = table_of(statement)
        if manifest:
            made = {**json.loads((folder / "manifest.json").read_bytes()), **manifest}
            predicate |= {name: made[name] for name in manifest}
            files["manifest.json"] = dump_json(made)
        for name, data in files.items():
            write_atomic(folder / name, data)
        for subject in statement["subject"]:
            if subject["name"] in files:
                subject["digest"]["sha256"] = hashlib.sha256(files[subject["name"]]).hexdigest()

    assert resign(folder / "entry.dsse.json", change).accepted


def resign_files(folder, suffix):
    """Sign the files as they are now."""

    def change(statement):
        for subject in statement["subject"]:
            if subject["name"].endswith(suffix):
                subject["digest"]["sha256"] = hashlib.sha256(
                    (folder / subject["name"]).read_bytes()
                ).hexdigest()

    assert resign(folder / "entry.dsse.json", change).accepted
