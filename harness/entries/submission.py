"""`submit`: an entry as a board takes it: a folder for a pull request, without its tensors."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness.board.handed_in import HandedIn
from harness.board.log import refusing
from harness.board.statements import read_clone, signed_by
from harness.entries.verified import Verified, verified
from harness.errors import UserError
from harness.files import dump_json, write_atomic
from leaderboard.board.additions import ENTRIES, Added, check_additions
from leaderboard.board.files import FolderFiles
from leaderboard.board.inbox import Proposal
from leaderboard.board.log import BoardLog
from leaderboard.board.trial import decide
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.layout import ENTRY, SUBMISSION, TENSORS, reeval_file, reeval_statement
from leaderboard.formats.log.leaf import Licence
from leaderboard.formats.mirrors import (
    ENDING,
    TENSORS_SCHEMA,
    KeptElsewhere,
    KeptFile,
    check_address,
)
from leaderboard.verification.measured import measure_again
from leaderboard.verification.submission import Submission, judge_submission, policies_digest


def submit_entry(
    folder: Path, board: Path, key: SigningKey, licence: Licence, mirrors: Sequence[str]
) -> Path:
    """Write a finished entry into the clone of a board, ready for a pull request; its folder.

    Everything is checked that `accept` will check. Raises Refused or Invalid for what is wrong;
    nothing is written then.
    """
    for mirror in mirrors:
        try:
            check_address(mirror)
        except ValueError as error:
            raise UserError(f"--mirror: {error}.") from None
    entry = verified(folder)
    predicate = entry.documents.statement.predicate
    if predicate.plan.log_index is None:
        raise UserError(f"{folder}: its plan was not registered before it ran.")
    signer = predicate.signer
    if signer.key_id != key.key_id:
        raise UserError(f"{entry.path}: is signed by key {signer.key_id[:16]}; sign it with --key.")

    # The folder in memory, judged before it is written
    log = read_clone(board)
    suite = predicate.suite
    target = f"{ENTRIES}/{suite.name}-v{suite.version}/{predicate.plan.id}"
    if (board / target).exists():
        raise UserError(f"{board / target}: is there already.")
    files = {
        f"{target}/{name}": content for name, content in without_tensors(entry, mirrors).items()
    }
    with refusing(board):
        proposal = _statement(entry, log, key, licence, f"{target}/{SUBMISSION}")
        handed_in = HandedIn({**files, **proposal.files}, target)
        check_additions(Added(path, len(content)) for path, content in handed_in.files.items())
        _judge(handed_in, board, log, proposal)
    _write(board / target, handed_in)
    return board / target


def without_tensors(entry: Verified, mirrors: Sequence[str]) -> dict[str, bytes]:
    """What a board keeps of an entry, but for the statement: all signed files without the tensors,
    and where those are. UserError where they are not in the folder."""
    files = {ENTRY: entry.documents.content}
    tensors = list[KeptFile]()
    for name, sha256 in entry.documents.files.digests.items():
        if name.endswith(ENDING):
            path = entry.path.parent / name
            if not path.exists():
                raise UserError(f"{path}: is not there; name the folder that has its tensors.")
            tensors.append(KeptFile(name, sha256, path.stat().st_size))
        else:
            files[name] = entry.read(name)
    kept = KeptElsewhere(TENSORS_SCHEMA, tuple(mirrors), tuple(tensors))
    files[TENSORS] = dump_json(asdict(kept))
    return files


def _statement(
    entry: Verified, log: BoardLog, key: SigningKey, licence: Licence, path: str
) -> Proposal:
    """What the submitter signs for the leaf."""
    documents = entry.documents
    leaf = {
        "kind": "entry",
        "key": key.key_id,
        "registration": documents.statement.predicate.plan.log_index,
        "entry": documents.payload_sha256,
        "policies": policies_digest(documents.statement, documents.plan),
        "licence": licence,
    }
    return signed_by([key], leaf, log.board.root.origin, "", path)


def _judge(handed_in: HandedIn, board: Path, log: BoardLog, proposal: Proposal) -> None:
    """DocumentError for what `accept` would refuse."""
    assert handed_in.folder is not None, "an entry lies in a folder"
    with tempfile.TemporaryDirectory() as scratch:
        copy = handed_in.write_to(Path(scratch))
        for check in judge_submission(Submission(handed_in.folder, handed_in.inside(), copy, log)):
            if check.status == "failed":
                raise DocumentError(f"{check.name}: {check.detail}")
    decide(log.board, proposal.decision(), FolderFiles(board), int(time.time()))


def _write(folder: Path, handed_in: HandedIn) -> None:
    """Write the folder: a reader of the clone sees all of it or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        handed_in.write_to(Path(scratch) / "entry").rename(folder)


def submit_reeval(reeval: Path, board: Path, key: SigningKey) -> list[Path]:
    """Put a re-evaluation and its statement beside the entry that it measured, ready for a pull
    request; the files. Raises Invalid unless it counts on the board."""
    log = read_clone(board)
    beside = reeval.parent.resolve()
    if not beside.is_relative_to(board.resolve()) or not (beside / ENTRY).exists():
        raise UserError(f"{reeval}: does not lie beside an entry of the board {board}.")
    folder = beside.relative_to(board.resolve()).as_posix()
    with refusing(board):
        measured = measure_again(beside, reeval, log)
        if measured.key != key.key_id:
            raise UserError(f"{reeval}: is signed by key {measured.key[:16]}; give that as --key.")
        leaf = {
            "kind": "reeval",
            "key": measured.key,
            "entry": measured.entry,
            "level": measured.level,
            "measured": measured.payload_sha256,
        }
        name = f"{folder}/{reeval_file(measured.payload_sha256)}"
        statement = reeval_statement(name)
        proposal = signed_by([key], leaf, log.board.root.origin, "", statement)
        decide(log.board, proposal.decision(), FolderFiles(board), int(time.time()))
    write_atomic(board / statement, proposal.files[statement])
    reeval.rename(board / name)
    return [board / name, board / statement]
