"""Attacks on an entry: whatever is changed, `verify` refuses and names the check."""

import base64
import json
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from helpers.forge import failed, resign, restate, statement_of, table_of
from leaderboard.formats import envelope, keys
from leaderboard.formats.run import score
from leaderboard.verification.checks import Check, Verdict
from leaderboard.verification.verify import CHECKS, verify


def test_a_real_entry_is_accepted_by_every_check(entry):
    verdict = verify(entry)
    assert verdict.accepted, verdict.checks
    assert [check.name for check in verdict.checks] == list(CHECKS)
    assert {
        check.status for check in verdict.checks if check.name not in ("key", "image", "reeval")
    } == {"passed"}


def test_six_hundred_random_mutations_are_all_refused_by_name(entry):
    """One byte of the payload, the signature, the entry file or any listed file, changed, dropped
    or doubled."""
    rng = random.Random(20250612)
    files = [entry.parent / subject["name"] for subject in statement_of(entry)["subject"]]
    named = Counter()
    for number in range(600):
        target = rng.choice(("payload", "signature", "file"))
        path = rng.choice(files) if target == "file" else entry
        original = path.read_bytes()
        changed = (
            mutate(original, rng) if target == "file" else mutate_envelope(original, target, rng)
        )
        path.write_bytes(changed)
        verdict = verify(entry)
        path.write_bytes(original)
        assert not verdict.accepted, (number, target, path)
        assert verdict.checks[-1].status == "failed"
        named[target, verdict.checks[-1].name] += 1
    assert sum(named.values()) == 600
    assert {check for target, check in named if target == "file"} == {"files"}
    assert {check for target, check in named if target == "signature"} <= {"envelope", "signature"}
    assert {check for target, check in named if target == "payload"} <= {"statement", "signature"}
    assert verify(entry).accepted


def mutate(data, rng):
    at = rng.randrange(len(data))
    kind = rng.choice(("flip", "drop", "double"))
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]
    return (
        data[:at] + data[at + 1 :] if kind == "drop" else data[:at] + data[at : at + 1] + data[at:]
    )


def mutate_envelope(data, target, rng):
    document = json.loads(data)
    holder, key = (
        (document, "payload") if target == "payload" else (document["signatures"][0], "sig")
    )
    raw = base64.b64decode(holder[key])
    holder[key] = base64.b64encode(mutate(raw, rng)).decode()
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("another payload type", lambda d: d.update(payloadType="text/plain")),
        ("an extra key", lambda d: d.update(note="x")),
        ("no signature", lambda d: d.update(signatures=[])),
        ("two signatures", lambda d: d.update(signatures=d["signatures"] * 2)),
        ("padding that decodes alike", lambda d: d.update(payload=d["payload"] + "\n")),
        ("an extra key in the signature", lambda d: d["signatures"][0].update(cert="x")),
        ("payload not text", lambda d: d.update(payload=7)),
    ],
)
def test_an_envelope_out_of_form_is_refused(entry, name, edit):
    document = json.loads(entry.read_bytes())
    edit(document)
    entry.write_text(json.dumps(document))
    assert failed(verify(entry)) == "envelope"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff\xfe", b'{"payload":NaN}', b'{"a":1,"a":2}', b"[" * 100_000]
)
def test_bytes_that_are_no_envelope_are_refused(entry, data):
    entry.write_bytes(data)
    assert failed(verify(entry)) == "envelope"


def test_another_key_id_or_another_key_is_refused(entry):
    document = json.loads(entry.read_bytes())
    document["signatures"][0]["keyid"] = "0" * 64
    entry.write_text(json.dumps(document))
    verdict = verify(entry)
    assert failed(verdict) == "signature"
    assert "is not the digest of the public key" in verdict.checks[-1].detail

    stranger = keys.one_use_key()
    payload = envelope.open_envelope(json.dumps(document).encode()).payload
    entry.write_text(json.dumps(envelope.sign(payload, stranger)))
    assert failed(verify(entry)) == "signature", (
        "signed by a key other than the one that the payload names"
    )


def test_doubled_keys_and_nan_in_a_payload_are_refused(entry):
    key = keys.one_use_key()
    for payload in (b'{"_type": "a", "_type": "b"}', b'{"_type": NaN}', b"not json", b"[1]", b"{}"):
        entry.write_text(json.dumps(envelope.sign(payload, key)))
        assert failed(verify(entry)) == "statement"


@pytest.mark.parametrize("depth", [64, 500, *range(960, 1000, 3)])
def test_brackets_without_end_are_refused_and_never_a_traceback(entry, depth):
    """The parser once took just so many levels that the sentence about them could not be made."""
    payload = envelope.open_envelope(entry.read_bytes()).payload
    nested = payload.replace(b'"image":null', b'"image":' + b"[" * depth + b"]" * depth)
    assert nested != payload
    entry.write_text(json.dumps(envelope.sign(nested, keys.one_use_key())))
    verdict = verify(entry)
    assert failed(verdict) == "statement"
    assert "nested too deeply" in verdict.checks[-1].detail


def run_of(statement, index=0):
    return statement["predicate"]["runs"][index]


def raise_returns(statement):
    for run in statement["predicate"]["runs"]:
        run["final_returns"] = [value * 1.15 for value in run["final_returns"]]
        run["score"] = score(run["final_returns"])


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("statement", lambda s: s.update(predicateType="urn:mst-bench:run:v9")),
        ("statement", lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")),
        ("statement", lambda s: s["predicate"].pop("nonce")),
        ("statement", lambda s: s["predicate"].update(extra=1)),
        ("statement", lambda s: run_of(s).update(score="many")),
        (
            "statement",
            lambda s: (
                s["subject"].append({"name": "../key.pem", "digest": {"sha256": "0" * 64}})
                or s.update(subject=7)
            ),
        ),
        ("signature", lambda s: s["predicate"]["signer"].update(key_id="0" * 64)),
        (
            "files",
            lambda s: s["subject"].append({"name": "../tiny", "digest": {"sha256": "0" * 64}}),
        ),
        (
            "files",
            lambda s: s["subject"].append({"name": "absent.json", "digest": {"sha256": "0" * 64}}),
        ),
        (
            "files",
            lambda s: s["subject"].append({"name": "x" * 299, "digest": {"sha256": "0" * 64}}),
        ),
        ("files", lambda s: s["subject"].append(s["subject"][0])),
        (
            "files",
            lambda s: s.update(subject=[x for x in s["subject"] if x["name"] != "plan.json"]),
        ),
        ("plan", lambda s: s["predicate"]["plan"].update(id="0" * 16)),
        ("plan", lambda s: s["predicate"]["suite"].update(name="dmc-hard")),
        ("plan", lambda s: s["predicate"]["suite"].update(changes=[])),
        (
            "files",
            lambda s: s.update(subject=[x for x in s["subject"] if x["name"] != "suite.json"]),
        ),
        ("plan", lambda s: s["predicate"]["budget"].update(environment_steps=10**6)),
        ("plan", lambda s: s["predicate"].update(ranked=True, unranked_because=[])),
        ("runs", lambda s: s["predicate"]["runs"].pop()),
        ("runs", lambda s: s["predicate"]["runs"].reverse()),
        ("runs", lambda s: run_of(s).update(seed=5)),
        ("runs", lambda s: run_of(s).update(status="missing")),
        ("runs", lambda s: run_of(s).update(score=999.0)),
        ("runs", raise_returns),
        (
            "runs",
            lambda s: s.update(
                subject=[x for x in s["subject"] if not x["name"].endswith("0/records.jsonl")]
            ),
        ),
    ],
)
def test_a_lying_statement_is_refused_by_the_check_that_knows(entry, check, change):
    assert failed(resign(entry, change)) == check


def lie_in_result(entry, run_index, edit):
    """Change a run in its result.json and in the statement alike, as a careful forger would."""
    run = run_of(statement_of(entry), run_index)
    edit(run)
    name = f"runs/{run['task']}/{run['regime']}/{run['seed']}/result.json"
    change = restate(entry, name, json.dumps(run, sort_keys=True).encode())

    def both(statement):
        change(statement)
        statement["predicate"]["runs"][run_index] = run

    return resign(entry, both)


def test_a_forged_score_is_refused(entry):
    assert (
        failed(lie_in_result(entry, 0, lambda run: run.update(score=run["score"] + 1))) == "scores"
    )


def test_forged_returns_do_not_fit_the_records(entry):
    def edit(run):
        run["final_returns"] = [value * 1.15 for value in run["final_returns"]]
        run["score"] = score(run["final_returns"])

    assert failed(lie_in_result(entry, 0, edit)) == "records"


def test_another_budget_than_planned_is_refused(entry):
    assert (
        failed(lie_in_result(entry, 1, lambda run: run["updates"].update(critic=999))) == "budgets"
    )


def test_a_changed_record_breaks_its_chain(entry):
    statement = statement_of(entry)
    run = run_of(statement)
    name = f"runs/{run['task']}/{run['regime']}/{run['seed']}/records.jsonl"
    lines = (entry.parent / name).read_bytes().splitlines(keepends=True)
    record = json.loads(lines[0])
    record["returns"][0] += 100.0
    lines[0] = json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    verdict = resign(entry, restate(entry, name, b"".join(lines)))
    assert failed(verdict) == "records"
    assert f"{name}:2" in verdict.checks[-1].detail


def test_a_results_table_that_does_not_follow_from_the_runs_is_refused(entry):
    statement = statement_of(entry)
    run_of(statement)["score"] = 1000.0
    table = table_of(statement)
    assert failed(resign(entry, restate(entry, "results.csv", table))) == "scores"


def test_every_file_is_opened_once(entry):
    """What is digested is what is parsed: nothing can be swapped in between."""
    opened = Counter()

    def count(event, arguments):
        if counting and event == "open" and isinstance(arguments[0], str | Path):
            path = Path(arguments[0])
            if path.is_relative_to(entry.parent):
                opened[path.relative_to(entry.parent).as_posix()] += 1

    counting = True
    sys.addaudithook(count)  # it stays, so `counting` ends it
    try:
        assert verify(entry, complete=True).accepted
    finally:
        counting = False
    names = [subject["name"] for subject in statement_of(entry)["subject"]]
    assert opened == Counter([entry.name, *names])


def test_a_level_is_data_not_prose():
    spoken = Check("reeval", "passed", "policies repeated; this is level L2", level="L1")
    assert Verdict("entry", [spoken]).level == "L1"
    assert Verdict("entry", [Check("reeval", "passed", "L2, they say")]).level == "L0"
    assert Verdict("entry", [Check("reeval", "failed", "refused", level="L2")]).level == "L0"


def test_what_strangers_wrote_cannot_steer_a_terminal(entry):
    suite = json.loads((entry.parent / "suite.json").read_bytes())
    suite["name"] = "tiny\x1b[2J\ud800"
    change = restate(entry, "suite.json", json.dumps(suite).encode())

    def both(statement):
        change(statement)
        statement["predicate"]["suite"].update(name=suite["name"])

    verdict = resign(entry, both)
    assert verdict.accepted
    assert all(check.detail.isprintable() for check in verdict.checks)


def test_a_link_out_of_the_folder_is_refused(entry, tmp_path):
    secret = tmp_path / "outside.json"
    secret.write_bytes((entry.parent / "manifest.json").read_bytes())
    (entry.parent / "manifest.json").unlink()
    (entry.parent / "manifest.json").symlink_to(secret)
    assert failed(verify(entry)) == "files"


def test_with_a_trust_file_only_known_keys_pass(entry, tmp_path):
    mine, stranger = keys.generate(tmp_path / "mine.pem"), keys.one_use_key()
    trust = tmp_path / "trust.json"
    trust.write_text(
        json.dumps(
            {"schema": keys.TRUST_SCHEMA, "keys": [{"name": "me", "public_key": mine.public_hex}]}
        )
    )
    resign(entry, lambda s: None, mine)
    verdict = verify(entry, trust)
    assert verdict.accepted
    assert next(check for check in verdict.checks if check.name == "key").detail == "me"
    assert next(check for check in verify(entry).checks if check.name == "key").status == "unknown"
    resign(entry, lambda s: None, stranger)
    assert failed(verify(entry, trust)) == "key"


def test_verify_loads_neither_torch_nor_a_simulator(tiny_entry):
    import subprocess

    script = (
        "import sys; from pathlib import Path; from leaderboard.verification.verify import verify;"
        f"assert verify(Path({str(tiny_entry)!r})).accepted;"
        "print(sorted({'torch', 'envpool', 'mujoco', 'scipy'} & set(sys.modules)))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_the_verifiers_fingerprints_are_those_of_the_environments():
    root = Path(__file__).parents[2]
    assert (root / "leaderboard/verification/fingerprints.json").read_bytes() == (
        root / "envs/fingerprints.json"
    ).read_bytes()


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (
            lambda p: p["fingerprints"].update({"cartpole-swingup": "0" * 64}),
            "unknown",
            "with other bits than recorded",
        ),
        (
            lambda p: p["hardware"].update(architecture="riscv64"),
            "unknown",
            "nothing is recorded for cartpole-swingup",
        ),
        (lambda p: p["fingerprints"].clear(), "failed", "states fingerprints of no task"),
    ],
)
def test_how_a_task_was_simulated_is_compared_with_what_is_recorded(entry, change, status, words):
    verdict = resign(entry, lambda statement: change(statement["predicate"]))
    (check,) = (check for check in verdict.checks if check.name == "simulation")
    assert (check.status, words in check.detail) == (status, True), check
