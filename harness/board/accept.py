"""`accept`: logs what is allowed, or adds one's own signature to what needs several.

Whoever signs last completes a statement. Until then its envelopes wait in the inbox of the main
branch. Everything is checked again on the machine of the maintainer: what continuous integration
said of a pull request is advice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.board.append import Change, Main, push_change
from harness.board.git import Repository
from harness.board.handed_in import HandedIn, on_disk
from harness.board.judged import judge_folder
from harness.board.log import refusing
from harness.errors import UserError
from harness.files import dump_json
from leaderboard.board.additions import FOLDER, entry_folder
from leaderboard.board.files import Files, FolderFiles
from leaderboard.board.inbox import Proposal, read_proposal, role_keys, waiting
from leaderboard.board.repository import INBOX
from leaderboard.board.trial import Decision, decide
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.layout import REEVAL, stated_reeval
from leaderboard.formats.log.statements import statement_payload

Offered = tuple[Proposal, Mapping[str, bytes]]
"""A statement, and the files of the entry that it is about."""


@dataclass(frozen=True)
class Accepted:
    """What `accept` did."""

    kind: str
    """Of the leaf."""
    statement: str
    """Digest of the statement."""
    index: int | None
    """Position of the leaf; None while signatures are missing."""
    missing: str
    """Which signatures are; empty once it is logged."""


def accept(repository: Repository, path: str, key: SigningKey | None) -> Accepted:
    """Log what lies at a path of the clone: a statement of the inbox, the folder of an entry, or
    the file of a re-evaluation.

    Raises Invalid for anything that is wrong with it, Incomplete if others are faster twice.
    """
    with refusing(repository.folder):
        if entry_folder(path):
            handed_in = on_disk(repository.folder, path)
            return _push(repository, lambda main: _judged(main, handed_in), key)
        disk = FolderFiles(repository.folder)
        proposal = read_proposal(disk, path).joined(disk)
    return _push(repository, lambda main: (proposal.joined(main.files), {}), key)


def sign_together(
    repository: Repository, proposal: Callable[[Main], Proposal], key: SigningKey
) -> Accepted:
    """Sign what several people say: the first one begins it, the last one has it logged."""
    return _push(repository, lambda main: (proposal(main).joined(main.files), {}), key)


def waiting_or_new(main: Main, leaf: Mapping[str, object], reason: str) -> Proposal:
    """The statement for this leaf that waits already, or a new one: who says the same as somebody
    before signs the same statement. `leaf`: with its kind, without when it is logged."""
    if not main.board.roots:
        raise DocumentError("the board has no trust root yet")
    origin = main.board.root.origin
    for proposal in waiting(main.files, f"{leaf['kind']}-"):
        spoken = proposal.spoken
        if (spoken.leaf, spoken.reason, spoken.origin) == (leaf, reason, origin):
            return proposal
    try:
        return Proposal(statement_payload(origin, leaf, reason))
    except ValueError as error:
        raise DocumentError(f"{leaf['kind']}: {error}") from None


def _judged(main: Main, handed_in: HandedIn) -> Offered:
    """The statement of a folder that passed all checks; DocumentError names one that failed."""
    judged = judge_folder(main, handed_in)
    if judged.proposal is None:
        failed = judged.checks[-1]
        raise DocumentError(f"{handed_in.folder}: {failed.name}: {failed.detail}")
    return judged.proposal, judged.beside


def _push(
    repository: Repository, offered: Callable[[Main], Offered], key: SigningKey | None
) -> Accepted:
    """Log a statement, or hand in one's signature."""
    outcome = list[Accepted]()

    def prepare(main: Main) -> Change:
        change, accepted = _change(main, *offered(main), key)
        outcome.append(accepted)
        return change

    change = push_change(repository, prepare)
    assert outcome[-1].index == change.index, "the last one prepared was pushed"
    return outcome[-1]


def _change(
    main: Main, proposal: Proposal, beside: Mapping[str, bytes], key: SigningKey | None
) -> tuple[Change, Accepted]:
    """What is pushed: the leaf, or the statement with one's signature if others are missing."""
    counts = key is not None and key.public_hex in role_keys(main.board, proposal)
    if key is not None and counts and proposal.countersigned:
        signed = dump_json(envelope.sign(proposal.payload, key))
        proposal = proposal.with_envelope(signed)
    try:
        change = main.leaf(_decision(main.files, proposal, beside))
    except DocumentError as refused:
        if not proposal.countersigned:
            raise
        missing = _missing(main, proposal, refused)
        if not counts:
            raise UserError(f"{missing}, and --key is none of those that count.") from None
        waits = {path: at for path, at in proposal.files.items() if not _has(main.files, path)}
        message = f"Signature of a statement: {proposal.kind}"
        accepted = Accepted(proposal.kind, proposal.sha256, None, missing)
        return Change(waits, message), accepted
    return change, Accepted(proposal.kind, proposal.sha256, change.index, "")


def _missing(main: Main, proposal: Proposal, refused: DocumentError) -> str:
    """Which signatures a statement lacks; DocumentError if something else is wrong with it."""
    if not proposal.envelopes:
        return "nobody has signed it yet"
    decide(main.board, proposal.decision(), main.files, int(time.time()), presumed=True)
    return str(refused).partition("): ")[2] or str(refused)


def _decision(files: Files, proposal: Proposal, beside: Mapping[str, bytes]) -> Decision:
    """A statement with all files that come and go with its leaf."""
    decision = proposal.decision()
    changes = dict(decision.files)
    for path, content in beside.items():
        if not _has(files, path):
            changes[path] = content
        elif files.read(path, len(content)) != content:
            raise DocumentError(f"{path}: is on the main branch with other bytes")
    for path in proposal.files:
        if _has(files, path):
            changes[path] = None
    return Decision(decision.kind, decision.fields, changes)


def _has(files: Files, path: str) -> bool:
    parent, _, name = path.rpartition("/")
    return name in files.names(parent)


def inside(board: Path, path: Path) -> str:
    """A path as the board's folder sees it, with `/` between its parts; that of a re-evaluation for
    its statement's. A path that does not exist where one stands is one of the board."""
    folder = board.resolve()
    full = path.resolve() if path.exists() else (folder / path).resolve()
    if not full.is_relative_to(folder) or not full.exists():
        raise UserError(f"{path}: is nothing in the board {board}.")
    name = stated_reeval(full.relative_to(folder).as_posix())
    measured = entry_folder(name) and REEVAL.fullmatch(name.rpartition("/")[2])
    entry = FOLDER.fullmatch(name) or measured
    if not entry and not name.startswith(f"{INBOX}/"):
        raise UserError(
            f"{path}: expected a file of {INBOX}/, the folder of an entry, or a re-evaluation."
        )
    return name
