"""Entries whose maker lies, signed properly."""

import hashlib
import json

from harness.files import digest_bytes, dump_json, write_atomic
from leaderboard.formats import envelope, keys
from leaderboard.formats.document import build
from leaderboard.formats.run import StatedRun, results_csv, score
from leaderboard.verification.verify import verify


def statement_of(entry):
    """The statement that an entry signs."""
    return json.loads(envelope.open_envelope(entry.read_bytes()).payload)


def table_of(statement):
    """results.csv of the runs of a statement."""
    return results_csv(build(StatedRun, run, "run") for run in statement["predicate"]["runs"])


def name_signer(statement, key):
    """States in a statement who signs it, where it still has a place for that."""
    if isinstance(statement.get("predicate"), dict):
        statement["predicate"]["signer"] = {
            "public_key": key.public_hex,
            "one_use": key.one_use,
        }


def signed(statement, key):
    """The bytes of an entry that signs a statement as it is."""
    return json.dumps(envelope.sign(json.dumps(statement).encode(), key)).encode()


def resign(entry, change, key=None):
    """Signs an entry again after `change(statement)`; returns its verdict."""
    key = key or keys.one_use_key()
    statement = statement_of(entry)
    name_signer(statement, key)
    change(statement)
    entry.write_bytes(signed(statement, key))
    return verify(entry)


def redigest(statement, digests):
    """States other digests: name of a listed file -> SHA-256."""
    for subject in statement["subject"]:
        if subject["name"] in digests:
            subject["digest"]["sha256"] = digests[subject["name"]]


def restate(entry, name, content):
    """Writes other bytes into a listed file; returns the change that states their digest."""
    (entry.parent / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return lambda statement: redigest(statement, {name: digest})


def failed(verdict):
    """The name of the check that refused an entry."""
    assert not verdict.accepted
    return verdict.checks[-1].name


def check_of(verdict, name):
    """The check of a name."""
    (check,) = (check for check in verdict.checks if check.name == name)
    return check


def forge_returns(folder, change_returns, manifest=None):
    """Signs a folder again with other final returns, all that follows from them made to fit.

    `change_returns`: the returns of a run -> those to state; `manifest`: other fields of it.
    """
    files = {}

    def change(statement):
        predicate = statement["predicate"]
        for run in predicate["runs"]:
            name = f"runs/{run['task']}/{run['regime']}/{run['seed']}"
            records, run["chain_head"] = _forged_records(folder / name, run, change_returns)
            files[f"{name}/records.jsonl"] = records
            files[f"{name}/result.json"] = dump_json(run)
        files["results.csv"] = table_of(statement)

        if manifest:
            document = {**json.loads((folder / "manifest.json").read_bytes()), **manifest}
            predicate |= {name: document[name] for name in manifest}
            files["manifest.json"] = dump_json(document)

        for name, content in files.items():
            write_atomic(folder / name, content)
        redigest(statement, {name: digest_bytes(content) for name, content in files.items()})

    assert resign(folder / "entry.dsse.json", change).accepted


def _forged_records(folder, run, change_returns):
    """Changes the returns of a run; its records with the last one to fit, and their new head."""
    lines = (folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-1])
    last["returns"] = run["final_returns"] = change_returns(run["final_returns"])
    run["score"] = score(run["final_returns"])
    lines[-1] = dump_json(last)
    return b"".join(lines), digest_bytes(lines[-1])


def forge_level(folder, level, manifest=None):
    """Signs a folder again with returns around a level: what another candidate would leave."""
    forge_returns(folder, lambda returns: [level + 0.01 * value for value in returns], manifest)


def resign_files(folder, suffix):
    """Signs a folder with its files of this suffix as they are now."""

    def change(statement):
        names = [subject["name"] for subject in statement["subject"]]
        changed = [name for name in names if name.endswith(suffix)]
        redigest(statement, {name: digest_bytes((folder / name).read_bytes()) for name in changed})

    assert resign(folder / "entry.dsse.json", change).accepted
