"""Bytes of an entry that are changed, missing or of another form: `verify` refuses them by name."""

import base64
import json
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from helpers.forge import failed, statement_of
from leaderboard.formats import envelope, keys
from leaderboard.verification.verify import verify


def test_six_hundred_random_mutations_are_all_refused_by_name(entry):
    """One byte of the payload, the signature or any listed file, changed, dropped or doubled."""
    rng = random.Random(20250612)
    files = [entry.parent / subject["name"] for subject in statement_of(entry)["subject"]]
    named = Counter()
    for number in range(600):
        target = rng.choice(("payload", "signature", "file"))
        path = rng.choice(files) if target == "file" else entry
        original = path.read_bytes()
        if target == "file":
            changed = mutate(original, rng)
        else:
            changed = mutate_envelope(original, target, rng)

        path.write_bytes(changed)
        verdict = verify(entry)
        path.write_bytes(original)
        assert not verdict.accepted, (number, target, path)
        assert verdict.checks[-1].status == "failed"
        named[target, verdict.checks[-1].name] += 1

    # Each by the check that it concerns; and what was put back is accepted.
    checks = {"payload": set(), "signature": set(), "file": set()}
    for target, check in named:
        checks[target].add(check)
    assert checks["file"] == {"files"}
    assert checks["signature"] <= {"envelope", "signature"}
    assert checks["payload"] <= {"statement", "signature"}
    assert verify(entry).accepted


def mutate(content, rng):
    """Bytes with one of them changed, dropped or doubled."""
    position = rng.randrange(len(content))
    mutation = rng.choice(("flip", "drop", "double"))
    before, byte, after = content[:position], content[position], content[position + 1 :]
    if mutation == "flip":
        return before + bytes([byte ^ rng.randrange(1, 256)]) + after
    return before + bytes([byte] * (0 if mutation == "drop" else 2)) + after


def mutate_envelope(content, target, rng):
    """An envelope with one byte of its payload or signature changed, before they are encoded."""
    document = json.loads(content)
    if target == "payload":
        holder, key = document, "payload"
    else:
        holder, key = document["signatures"][0], "sig"
    holder[key] = base64.b64encode(mutate(base64.b64decode(holder[key]), rng)).decode()
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
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"payload":NaN}', b'{"a":1,"a":2}', b"[" * 100_000]
)
def test_bytes_that_are_no_envelope_are_refused(entry, content):
    entry.write_bytes(content)
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


def test_a_link_out_of_the_folder_is_refused(entry, tmp_path):
    secret = tmp_path / "outside.json"
    secret.write_bytes((entry.parent / "manifest.json").read_bytes())
    (entry.parent / "manifest.json").unlink()
    (entry.parent / "manifest.json").symlink_to(secret)
    assert failed(verify(entry)) == "files"
