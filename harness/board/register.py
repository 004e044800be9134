"""`plan --register` and `plan --reveal`: says which plan will be run, before it has seeds."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.board.drafts import DRAFT_SCHEMA, Draft, keep, kept, same_drafts
from harness.board.log import refusing
from harness.board.statements import propose, read_clone, signed_by
from harness.errors import UserError
from harness.files import write_atomic
from harness.planning.plan import Plan
from leaderboard.board.files import FolderFiles
from leaderboard.board.inbox import Proposal, waiting
from leaderboard.board.log import BoardLog
from leaderboard.board.state import Registration
from leaderboard.board.trial import decide
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.log.leaf import RegisterLeaf, RevealLeaf
from leaderboard.formats.plan import DRAFT_SOURCE, draft_digest, suite_digest, with_seeds
from leaderboard.formats.registration import blinded

UNSAID = "0" * 64
"""In place of the statement's digest, which a statement cannot say."""


@dataclass(frozen=True)
class HandedIn:
    """A registration that waits for its pull request."""

    statement: Path
    """What the pull request adds."""
    draft: Path
    """What the submitter keeps."""


def register(
    plan: Plan, image: str, board: Path, out: Path, key: SigningKey, blind: bool
) -> HandedIn:
    """Sign a registration, write it into the inbox of a clone, and keep the draft under `out`.

    `image`: digest of the content of the image that will run the plan. UserError for a suite that
    is not open, or a plan that is registered already; Invalid for what else the rules forbid.
    """
    log = read_clone(board)
    _check_suite(log, plan)
    digest = draft_digest(plan.canonical())
    _check_first(log, board, out, key, digest)

    # Of a blinded plan the leaf says nothing that others could guess.
    salt = secrets.token_hex(32) if blind else None
    leaf = RegisterLeaf(
        at=0,
        statement=UNSAID,
        key=key.key_id,
        suite=plan.suite.name,
        version=plan.suite.version,
        draft=digest if salt is None else blinded(salt, digest),
        image=image,
        blinded=blind,
    )
    proposal = _proposed(log, board, leaf.stated(), key)

    # The draft first: without it, the registration would be of no use.
    document = json.loads(with_seeds(plan.canonical(), DRAFT_SOURCE))
    origin = log.board.root.origin
    draft = keep(Draft(DRAFT_SCHEMA, origin, proposal.sha256, salt, plan.suite, document), out)
    ((path, content),) = proposal.files.items()
    write_atomic(board / path, content)
    return HandedIn(board / path, draft)


def _proposed(log: BoardLog, board: Path, leaf: Mapping[str, object], key: SigningKey) -> Proposal:
    """The signed statement for a leaf, which the rules allow as the clone knows them."""
    with refusing(board):
        proposal = signed_by([key], leaf, log.board.root.origin, reason="")
        decide(log.board, proposal.decision(), FolderFiles(board), int(time.time()))
    return proposal


def _check_suite(log: BoardLog, plan: Plan) -> None:
    """UserError unless the board has opened this very suite."""
    origin = log.board.root.origin
    named = f"suite {plan.suite.name} version {plan.suite.version}"
    opened = log.board.suites.get((plan.suite.name, plan.suite.version))
    if opened is None:
        names = [f"{name} version {version}" for name, version in log.board.suites]
        raise UserError(f"{named} is not open on {origin}, which has {', '.join(names) or 'none'}.")
    if opened.plan != suite_digest(plan.canonical()):
        raise UserError(
            f"{named} has another plan on {origin} than in this version of mst-bench.",
            "Use the version that the board asks for.",
        )


def _check_first(log: BoardLog, board: Path, out: Path, key: SigningKey, digest: str) -> None:
    """UserError if the same plan waits in the inbox, or a blinded one of it is open: of that the
    board's own rule knows nothing before it is revealed."""
    drafts = {draft.statement for draft in same_drafts(out, digest)}
    with refusing(board):
        proposals = list(waiting(FolderFiles(board), "register-"))
    for proposal in proposals:
        leaf = proposal.spoken.leaf
        same = leaf.get("draft") == digest or proposal.sha256 in drafts
        if same and leaf.get("key") == key.key_id:
            path = next(iter(proposal.files))
            raise UserError(f"{board / path}: registers the same plan already.")

    now = int(time.time())
    member = log.board.members.get(key.key_id)
    for registration in log.board.registrations.values():
        same = registration.draft is None and registration.leaf.statement in drafts
        if same and registration.member is member and log.board.is_open(registration, now):
            raise UserError(
                f"leaf {registration.index} is an open registration of the same plan, blinded."
            )


def reveal(index: int, board: Path, out: Path, key: SigningKey) -> Path:
    """Sign what a blinded registration announced, and write it into the inbox of a clone."""
    log = read_clone(board)
    registration = registration_at(log, index)
    draft = kept(out, registration.leaf.statement)
    if draft.salt is None:
        raise UserError(f"leaf {index}: the plan is not blinded; there is nothing to reveal.")
    leaf = RevealLeaf(
        at=0,
        statement=UNSAID,
        key=key.key_id,
        registration=index,
        draft=draft.digest,
        salt=draft.salt,
    )
    (path,) = propose(board, leaf.stated(), [key])
    return path


def registration_at(log: BoardLog, index: int) -> Registration:
    """The registration at a position of a log; UserError if there is none."""
    registration = log.board.registrations.get(index)
    if registration is None:
        raise UserError(
            f"leaf {index} is no registration; the log has {log.size} leaves.",
            "Pull the board if yours was accepted later.",
        )
    return registration
