"""Checks (0) to (4): who signed what, and that the files are still what was signed."""

from __future__ import annotations

import hashlib

from leaderboard.formats import envelope, keys
from leaderboard.formats.document import parse_json
from leaderboard.formats.statement import RUN_TYPE, read_entry_statement
from leaderboard.verification.checks import Defect, Entry, Judgement, passed, unknown
from leaderboard.verification.files import read_files

LARGEST_ENTRY = 256 << 20
"""Bytes of an entry that are read."""


def check_envelope(entry: Entry) -> Judgement:
    """(0) Threat: an entry that two readers read differently, or whose bytes change unseen."""
    content = entry.path.read_bytes()
    if len(content) > LARGEST_ENTRY:
        raise Defect(f"the entry has {len(content)} bytes, at most {LARGEST_ENTRY} are read")
    entry.sha256 = hashlib.sha256(content).hexdigest()
    entry.envelope = envelope.open_envelope(content)
    return passed("one signature, canonical form")


def check_statement(entry: Entry) -> Judgement:
    """(1) Threat: version confusion, where a document of another type or schema passes for one."""
    document = parse_json(entry.envelope.payload, "payload")
    entry.statement = read_entry_statement(document)
    return passed(RUN_TYPE)


def check_signature(entry: Entry) -> Judgement:
    """(2) Threat: an entry altered after it was signed. What was parsed is what is verified."""
    signer = entry.predicate.signer
    envelope.check_signature(entry.envelope, signer.public_key)
    if signer.key_id != entry.envelope.key_id:
        raise Defect("the payload names another key id than the envelope")
    return passed(f"Ed25519, key {signer.key_id[:16]}")


def check_key(entry: Entry) -> Judgement:
    """(3) Threat: a stranger signs in somebody's name. A stolen key is not noticed here."""
    signer = entry.predicate.signer
    if entry.trust is None:
        return unknown("one-use key" if signer.one_use else "no --trust file was given")
    trusted = keys.load_trust(entry.trust)
    if signer.key_id not in trusted:
        raise Defect(f"key {signer.key_id[:16]} is not in {entry.trust}")
    return passed(trusted[signer.key_id])


def check_files(entry: Entry) -> Judgement:
    """(4) Threat: files exchanged after signing, or while they are read; names that lead out of the
    folder. From here on nothing is read from the folder any more."""
    entry.files = read_files(entry.folder, entry.statement.subject)
    entry.files.manifest.get()
    return passed(f"{len(entry.files.digests)} files as signed")
