"""`log sign`: signs what is on the main branch, and takes in what witnesses cosigned.

Leaves are pushed first and signed after, so git's rejection of a second pusher decides which leaves
a size has. What is signed is remembered before it leaves the machine: a signer that is killed at
any moment never signs another tree of the same size.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness.board.commits import CommitFiles
from harness.board.git import Busy, Repository
from harness.board.log import AHEAD, check_clock, refusing
from harness.board.remembered import check_remembered, locked, remember
from harness.errors import Incomplete, UserError
from harness.words import count, say
from leaderboard.board.log import BoardLog, check_times, read_log
from leaderboard.board.repository import CHECKPOINT, COSIGNATURE, INBOX, checkpoint_path
from leaderboard.board.views import ForkError, view_of
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.log import note
from leaderboard.formats.log.checkpoint import SignedCheckpoint, open_checkpoint, sign_checkpoint
from leaderboard.formats.log.note import Note, NoteSignature

TRIES = 2
"""A push that somebody else was faster than is tried once more."""


@dataclass(frozen=True)
class SignedLog:
    """What `log sign` did."""

    origin: str
    size: int
    """Leaves of the newest signed checkpoint."""
    new: bool
    """Whether it was signed now."""
    cosignatures: int
    """How many were taken in."""
    commit: str | None
    """What was pushed; None if there was nothing to do."""


def sign_log(repository: Repository, key: SigningKey) -> SignedLog:
    """Sign the main branch's leaves and push the checkpoint.

    Raises Invalid if anything is wrong with the log, Incomplete if others are faster twice.
    """
    for _ in range(TRIES):
        parent = repository.fetch()
        with refusing(repository.folder), repository.files(parent) as files:
            log = read_log(files)
            check_clock(log, int(time.time()))
            with locked(log.board.root.origin):
                check_remembered(log)
                signed, changes = _changes(log, files, key)
                if not changes:
                    return signed
                message = _message(signed)
                commit = repository.commit(parent, changes, message)

                # Before the signature leaves this machine.
                content = changes.get(CHECKPOINT) or _newest(log).note.content()
                remember(view_of(log, signed.size, content))
        try:
            repository.push(commit, parent)
        except Busy:
            continue
        repository.forward(commit)
        return replace(signed, commit=commit)
    raise Incomplete(
        f"{repository.folder}: others pushed at the same moment, twice; nothing was signed.",
        "Give the same command again.",
    )


def _message(signed: SignedLog) -> str:
    """The commit's message."""
    if signed.new:
        return f"Checkpoint of {count(signed.size, 'leaf', 'leaves')}"
    return f"Take in {count(signed.cosignatures, 'cosignature')}"


def _newest(log: BoardLog) -> SignedCheckpoint:
    assert log.newest is not None, "cosignatures are of signed checkpoints"
    return log.newest


def _changes(
    log: BoardLog, files: CommitFiles, key: SigningKey
) -> tuple[SignedLog, dict[str, bytes | None]]:
    """What to write and remove: the checkpoint of a log that grew, and checkpoints with the
    cosignatures that witnesses handed in."""
    root = log.board.root
    if key.public_hex not in root.log.public_keys:
        raise UserError(f"key {key.key_id[:16]} is no key of the log {root.origin}.")

    # Any one key of the log suffices: a size that is signed is not signed again.
    notes = {size: signed.note for size, signed in log.signed.items()}
    new = log.size not in notes
    if new:
        checkpoint = log.checkpoint(log.size)
        notes[log.size] = Note(checkpoint.text(), (sign_checkpoint(checkpoint, key),))

    changes: dict[str, bytes | None] = {}
    taken = 0
    for path, size, lines in _handed_in(log, files):
        present = {(line.name, line.key_id) for line in notes[size].signatures}
        added = [line for line in lines if (line.name, line.key_id) not in present]
        notes[size] = replace(notes[size], signatures=(*notes[size].signatures, *added))
        changes[path] = None
        taken += len(added)

    # What readers fetch first is a copy of the newest.
    for size, content in notes.items():
        if size not in log.signed or content != log.signed[size].note:
            changes[checkpoint_path(size)] = content.content()
            if size == max(notes):
                changes[CHECKPOINT] = content.content()
    return SignedLog(root.origin, max(notes), new, taken, commit=None), changes


def _handed_in(log: BoardLog, files: CommitFiles) -> Iterator[tuple[str, int, list[NoteSignature]]]:
    """Path, size and cosignatures of what witnesses handed in.

    What does not verify is said and left there. ForkError if a key of the log signed another tree.
    """
    cosigned = {size: dict(signed.cosigned) for size, signed in log.signed.items()}
    for name in files.names(INBOX):
        matched = COSIGNATURE.fullmatch(name)
        if matched is None:
            continue
        path = f"{INBOX}/{name}"
        size = int(matched[1])
        try:
            opened = opened_cosignature(log, size, path, files.read(path, note.LARGEST))

            # A witness that went back in time would make the whole log invalid.
            times = {**opened.cosigned, **cosigned[size]}
            check_times({**cosigned, size: times})
        except ForkError:
            raise
        except DocumentError as error:
            say(f"{str(error).removesuffix('.')}; it was left there.")
            continue
        cosigned[size] = times
        lines = [opened.note.signed_by(witness) for witness in opened.cosigned]
        yield path, size, [line for line in lines if line is not None]


def opened_cosignature(log: BoardLog, size: int, path: str, content: bytes) -> SignedCheckpoint:
    """A cosigned checkpoint of a size that the log has signed; DocumentError if it is none,
    ForkError if it is of another tree."""
    if size not in log.signed:
        raise DocumentError(f"{path}: there is no signed checkpoint of {size} leaves")
    opened = open_checkpoint(content, log.board.root_at(size).policy(), path)
    if opened.checkpoint.size != size:
        raise DocumentError(f"{path}: is of {opened.checkpoint.size} leaves")
    for witness, moment in opened.cosigned.items():
        if moment > time.time() + AHEAD:
            raise DocumentError(f"{path}: {witness.name} cosigned it in the future")
    mine = log.signed[size]
    if opened.checkpoint != mine.checkpoint:
        message = f"{path}: a key of the log signed another tree of {size} leaves"
        raise ForkError(message, (mine.note.content(), content))
    return opened
