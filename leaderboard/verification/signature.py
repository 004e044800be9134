"""Checks (0) to (4): who signed what, and that the documents are still what was signed."""

from __future__ import annotations

from leaderboard.formats import envelope
from leaderboard.formats.document import parse_json
from leaderboard.formats.reading import read_limited
from leaderboard.formats.statement import RUN_TYPE, read_entry_statement
from leaderboard.formats.trust import UntrustedError, load_trust
from leaderboard.verification.checks import Defect, Entry, Judgement, passed, unknown
from leaderboard.verification.files import DOCUMENTS, read_documents


def check_envelope(entry: Entry) -> Judgement:
    """(0) Threat: an entry that two readers read differently."""
    entry.content = read_limited(entry.path, envelope.LARGEST, "the entry")
    entry.envelope = envelope.open_envelope(entry.content)
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
    return passed(f"Ed25519, key {signer.key_id[:16]}")


def check_key(entry: Entry) -> Judgement:
    """(3) Threat: a stranger signs in somebody's name. A stolen key is not noticed here, unless it
    was revoked."""
    signer = entry.predicate.signer
    if entry.trust is None:
        return unknown("one-use key" if signer.one_use else "no --trust file was given")
    try:
        name = load_trust(entry.trust).name_of(signer.public_key, "submitter")
    except UntrustedError as error:
        raise Defect(f"{entry.trust}: {error}") from None
    return passed(name)


def check_documents(entry: Entry) -> Judgement:
    """(4) Threat: documents exchanged after signing, or while they are read; names that lead out of
    the folder."""
    entry.files = read_documents(entry.folder, entry.statement.subject, entry.tensors)
    return passed(f"{', '.join(DOCUMENTS)} as signed")
