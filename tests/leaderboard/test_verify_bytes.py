"""Bytes of an entry that are changed, missing or of another form: `verify` refuses them by name."""

import base64
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.entries.verified import Changed, accepted
from helpers.forge import failed, statement_of
from leaderboard.formats import envelope, keys
from leaderboard.verification.files import DOCUMENTS
from leaderboard.verification.verify import CHECKS, verify


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
    assert checks["file"] == {"documents", "files"}
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
    assert opened == Counter([entry.name, *names, "tensors.json"])  # which is not there


# -- files that are no files of an entry --

RECORDS = "runs/cartpole-swingup/sst/0/records.jsonl"
LISTED = [("manifest.json", "documents"), (RECORDS, "files")]
"""A listed file, and the check that reads it."""


def endless(path):
    """A link to a device that never ends."""
    path.symlink_to("/dev/zero")


def sparse(path):
    """Four terabytes that take no room on the disk."""
    with path.open("wb") as file:
        file.truncate(4 << 40)


SPECIAL = [
    (os.mkfifo, "is not a regular file"),
    (sparse, "has 4398046511104 bytes, at most"),
    (Path.mkdir, "is not a regular file"),
]


@pytest.mark.parametrize(("name", "check"), LISTED)
@pytest.mark.parametrize(("make", "sentence"), SPECIAL)
def test_a_listed_file_of_a_special_kind_is_refused_at_once(entry, name, check, make, sentence):
    """A pipe was waited for for ever, a sparse file read until memory was gone."""
    (entry.parent / name).unlink()
    make(entry.parent / name)
    verdict = verify(entry)
    assert failed(verdict) == check
    assert f"{name}: {sentence}" in verdict.checks[-1].detail


@pytest.mark.parametrize(("make", "sentence"), [*SPECIAL, (endless, "is not a regular file")])
def test_an_entry_of_a_special_kind_is_refused_at_once(entry, make, sentence):
    entry.unlink()
    make(entry)
    verdict = verify(entry)
    assert failed(verdict) == "envelope"
    assert f"the entry: {sentence}" in verdict.checks[-1].detail


@pytest.mark.parametrize(("name", "check"), LISTED)
@pytest.mark.parametrize("target", ["/dev/zero", "outside"])
def test_a_link_out_of_the_folder_is_refused(entry, tmp_path, name, check, target):
    """Also one to the very bytes that were signed: it could be turned after it was verified."""
    link = entry.parent / name
    (tmp_path / "outside").write_bytes(link.read_bytes())
    link.unlink()
    link.symlink_to(tmp_path / target)
    verdict = verify(entry)
    assert failed(verdict) == check
    assert verdict.checks[-1].detail == f"{name}: points outside the entry's folder"


@pytest.mark.parametrize(("name", "check"), LISTED)
def test_a_link_to_itself_is_refused(entry, name, check):
    (entry.parent / name).unlink()
    (entry.parent / name).symlink_to(Path(name).name)
    assert failed(verify(entry)) == check


def test_a_file_that_is_missing_is_named(entry):
    (entry.parent / RECORDS).unlink()
    verdict = verify(entry)
    assert failed(verdict) == "files"
    assert verdict.checks[-1].detail == f"{RECORDS}: is missing"


def test_a_surprise_in_a_check_is_a_failed_check_and_no_traceback(entry, monkeypatch):
    def surprise(entry):
        raise KeyError("\x1b[2J")

    monkeypatch.setitem(CHECKS, "runs", surprise)
    verdict = verify(entry)
    assert failed(verdict) == "runs"
    assert verdict.checks[-1].detail == r"cannot be judged: KeyError: '\x1b[2J'"


# -- what was verified is what is used --


@pytest.mark.parametrize("name", [RECORDS, "runs/cartpole-swingup/mst/0/actor.safetensors"])
def test_a_file_that_changed_after_it_was_verified_is_not_used(entry, name):
    trusting = accepted(entry, verify(entry))
    path = entry.parent / name
    original = path.read_bytes()
    assert trusting.read(name) == original

    path.write_bytes(original[:-1] + bytes([original[-1] ^ 1]))
    with pytest.raises(Changed, match="its bytes are not those that were signed") as refusal:
        trusting.read(name)
    assert refusal.value.code == 4


def test_documents_are_kept_as_they_were_verified(entry):
    trusting = accepted(entry, verify(entry))
    for name in DOCUMENTS:
        original = (entry.parent / name).read_bytes()
        (entry.parent / name).unlink()
        assert trusting.read(name) == original


def test_a_file_that_was_not_signed_is_not_used(entry):
    trusting = accepted(entry, verify(entry))
    (entry.parent / "notes.txt").write_text("not signed")
    assert trusting.read_if_signed("notes.txt") is None
    with pytest.raises(Changed, match="is not among the signed files"):
        trusting.read("notes.txt")
