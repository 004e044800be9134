"""Writes what a submitter says into the inbox of their clone, ready for a pull request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.board.log import refusing
from harness.board.remembered import check_remembered
from harness.errors import UserError
from harness.files import dump_json, write_atomic
from leaderboard.board.files import FolderFiles
from leaderboard.board.inbox import Proposal
from leaderboard.board.log import BoardLog, read_log
from leaderboard.board.trial import decide
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.log.statements import statement_payload


def read_clone(board: Path) -> BoardLog:
    """The log in a clone, which continues what was seen of it. Raises Invalid if it does not."""
    if not (board / "log").is_dir():
        raise UserError(f"{board}: is no board: it has no folder log.")
    with refusing(board):
        log = read_log(FolderFiles(board))
        check_remembered(log)
    return log


def propose(
    board: Path, leaf: Mapping[str, object], keys: Sequence[SigningKey], reason: str = ""
) -> list[Path]:
    """Write a statement that these keys sign; the files, one of each key.

    `leaf`: with its kind, without when it is logged. Raises Invalid if the rules forbid it as the
    clone knows them, as if maintainers had signed it too; nothing is written then.
    """
    log = read_clone(board)
    with refusing(board):
        proposal = signed_by(keys, leaf, log.board.root.origin, reason)
        files = FolderFiles(board)
        decide(log.board, proposal.decision(), files, int(time.time()), presumed=True)
    for path, content in proposal.files.items():
        write_atomic(board / path, content)
    return [board / path for path in proposal.files]


def signed_by(
    keys: Sequence[SigningKey], leaf: Mapping[str, object], origin: str, reason: str, path: str = ""
) -> Proposal:
    """A statement for a leaf; `path`: of its one envelope, if that does not lie in the inbox."""
    try:
        proposal = Proposal(statement_payload(origin, leaf, reason))
    except ValueError as error:
        raise DocumentError(f"{leaf['kind']}: {error}") from None
    for key in keys:
        signed = dump_json(envelope.sign(proposal.payload, key))
        proposal = proposal.with_envelope(signed, path)
    return proposal
