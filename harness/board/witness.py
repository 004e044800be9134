"""`log witness`: says, with a key and a clock of one's own, which tree of a log one saw.

A witness is a clone, a key and a timer. It checks the whole log against all that it saw before, and
hands its cosignature in as a file of its own, so two witnesses never conflict.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from harness.board.git import Repository
from harness.board.log import check_clock, refusing
from harness.board.remembered import check_remembered, locked, remember
from harness.errors import Incomplete, UserError
from leaderboard.board.log import BoardLog, read_log
from leaderboard.board.repository import INBOX
from leaderboard.board.views import view_of
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.log.checkpoint import cosign_checkpoint, witness_key
from leaderboard.formats.log.note import Note


@dataclass(frozen=True)
class Witnessed:
    """What `log witness` did."""

    origin: str
    size: int
    branch: str | None
    """Where the cosignature waits for a pull request; None if the checkpoint bears it already."""


def witness_log(repository: Repository, key: SigningKey) -> Witnessed:
    """Check the log, cosign its newest checkpoint and push that as a branch.

    Raises Invalid if anything is wrong with the log, or it does not continue what was seen.
    """
    parent = repository.fetch()
    with refusing(repository.folder), repository.files(parent) as files:
        log = read_log(files)
        check_clock(log, int(time.time()))
        name = _name(log, key)
        signed = log.newest
        if signed is None:
            raise Incomplete(f"{repository.folder}: no checkpoint is signed yet.")
        checkpoint = signed.checkpoint
        verifier = witness_key(key, name)
        file = f"{INBOX}/cosignature-{checkpoint.size}-{verifier.key_id.hex()}.note"

        with locked(checkpoint.origin):
            check_remembered(log)
            remember(view_of(log, checkpoint.size, signed.note.content()))
            handed_in = file.rpartition("/")[2] in files.names(INBOX)
            if verifier in signed.cosigned or handed_in:
                return Witnessed(checkpoint.origin, checkpoint.size, branch=None)

            # The log's own signatures and ours; other witnesses hand in theirs.
            lines = [signed.note.signed_by(log_key) for log_key in signed.logs]
            lines.append(cosign_checkpoint(checkpoint, key, name, int(time.time())))
            note = Note(signed.note.text, tuple(line for line in lines if line))
    commit = repository.commit(
        parent, {file: note.content()}, f"Cosignature of {checkpoint.size} leaves by {name}"
    )
    branch = f"cosignature-{checkpoint.size}-{verifier.key_id.hex()}"
    repository.push_branch(commit, branch)
    return Witnessed(checkpoint.origin, checkpoint.size, branch)


def _name(log: BoardLog, key: SigningKey) -> str:
    """The name that the trust root gives a witness; UserError if it is none."""
    root = log.board.root
    for witness in root.witnesses.keys:
        if witness.public_key == key.public_hex:
            return witness.name
    raise UserError(f"key {key.key_id[:16]} is no witness of the log {root.origin}.")
