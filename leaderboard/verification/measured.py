"""Judges a re-evaluation that is handed in to a board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leaderboard.board.files import Files
from leaderboard.board.inbox import Proposal, parse_proposal
from leaderboard.board.log import BoardLog
from leaderboard.formats import envelope, strict_json
from leaderboard.formats.document import DocumentError, build, convert
from leaderboard.formats.envelope import LARGEST, EnvelopeError
from leaderboard.formats.layout import ENTRY, TENSORS
from leaderboard.formats.log.leaf import ReevalLeaf
from leaderboard.formats.mirrors import ENDING
from leaderboard.formats.statement import Subject
from leaderboard.verification.verify import verify


@dataclass(frozen=True)
class Measured:
    """A re-evaluation that counts."""

    level: str
    entry: int
    """Position of the leaf of the entry."""
    payload_sha256: str
    """Of the re-evaluation."""
    key: str
    """Id of the re-evaluator's key."""


def measure_again(copy: Path, reeval: Path, log: BoardLog) -> Measured:
    """What a re-evaluation of the entry in a folder shows; DocumentError unless it counts on the
    board: by a re-evaluator, on episodes of the beacon, and of an entry that was accepted."""
    verdict = verify(copy / ENTRY, log=log, reeval=reeval)
    last = verdict.checks[-1]
    if verdict.documents is None or last.status != "passed":
        raise DocumentError(f"verify: {last.name}: {last.detail}")
    entries = log.board.entries.values()
    payload = verdict.documents.payload_sha256
    index = next(entry.index for entry in entries if entry.leaf.entry == payload)
    signed = verdict.documents.reeval
    assert signed is not None, "the check of the re-evaluation passed"
    signer = signed.statement.predicate.signer
    return Measured(verdict.level, index, signed.payload_sha256, signer.key_id)


def check_measured(measured: Measured, statement: bytes, path: str) -> Proposal:
    """The statement for the leaf of a re-evaluation; DocumentError if it says something else."""
    proposal = parse_proposal(statement, path, path)
    if proposal.kind != "reeval":
        raise DocumentError(f"{path}: is a statement of another kind than reeval")
    leaf = build(ReevalLeaf, {"at": 0, **proposal.decision().fields}, path)
    stated = Measured(leaf.level, leaf.entry, leaf.measured, leaf.key)
    if stated != measured:
        raise DocumentError(f"{path}: says something else than the re-evaluation")
    return proposal


def export_entry(files: Files, folder: str, copy: Path) -> None:
    """Write an entry of a board into a folder of our own, for readers of folders. DocumentError if
    it is not whole."""
    content = files.read(f"{folder}/{ENTRY}", LARGEST)
    try:
        document = strict_json.parse(envelope.open_envelope(content).payload)
    except (EnvelopeError, ValueError) as error:
        raise DocumentError(f"{folder}/{ENTRY}: {error}") from None
    listed = document.get("subject") if isinstance(document, dict) else None
    subjects = convert(tuple[Subject, ...], listed, f"{folder}/{ENTRY}: subject")
    names = [subject.name for subject in subjects if not subject.name.endswith(ENDING)]
    for name in (ENTRY, TENSORS, *names):
        path = copy / name
        if ".." in name.split("/") or name.startswith("/"):
            raise DocumentError(f"{folder}/{ENTRY}: {name[:100]} points outside the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files.read(f"{folder}/{name}", LARGEST))
