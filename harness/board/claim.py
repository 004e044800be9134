"""`plan --claim`: the seeds of a registered plan, once the round that they come from exists."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import rfc8785

from harness.board.beacon import awaited_round
from harness.board.drafts import Draft, kept
from harness.board.register import registration_at
from harness.board.remembered import remember_newest
from harness.board.statements import read_clone
from harness.errors import Incomplete, UserError
from harness.files import write_atomic
from harness.folder import Folder
from harness.planning.plan import Plan, check_writable, plan_of, write_plan
from harness.words import say
from leaderboard.board.log import BoardLog
from leaderboard.board.state import Registration
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.proof import LogProof
from leaderboard.formats.plan import parse_plan, suite_digest, with_seeds
from leaderboard.formats.registration import REGISTRATION_SCHEMA, blinded, seed_source
from leaderboard.formats.registration import Registration as RegistrationFile
from leaderboard.formats.shipped import check_named


@dataclass(frozen=True)
class Claimed:
    """A registered plan that may be run."""

    plan: str
    """Its id."""
    folder: str
    index: int
    round: int
    witnessed: bool
    """Whether a quorum of witnesses saw the leaf before the round: only then it can be ranked."""


def claim(index: int, board: Path, out: Path, beacon_file: Path | None) -> Claimed:
    """Write the plan of a registration with its seeds, its proof and the round of the beacon.

    Raises Incomplete while the round lies ahead, no checkpoint covers the leaf, or no relay
    answers; Invalid for another round than the leaf asks for.
    """
    check_writable(out)
    log = read_clone(board)
    registration = registration_at(log, index)
    _check_open(log, registration)
    draft = _draft(out, registration)
    proof = _proof(log, index)
    served = awaited_round(log, index, registration.leaf, beacon_file)

    # Nobody chose these seeds: the leaf was there before the round was.
    leaf = registration.leaf
    source = seed_source(log.board.root.origin, index, leaf, served)
    plan = _with_seeds(draft, source)
    stated = RegistrationFile(REGISTRATION_SCHEMA, leaf.key, leaf.at, leaf.statement, draft.salt)
    contents = (rfc8785.dumps(asdict(stated)) + b"\n", proof.content(), served.content())

    # The plan comes last: a folder with a registered plan has its registration too.
    folder = Folder(out / plan.id)
    for path, content in zip(folder.registered, contents, strict=True):
        write_atomic(path, content)
    write_plan(plan, out)
    remember_newest(log)
    witnessed = _warned(log, index, served.round)
    return Claimed(plan.id, str(folder.path), index, served.round, witnessed)


def _check_open(log: BoardLog, registration: Registration) -> None:
    """UserError if nothing can be entered for a registration any more."""
    if registration.retracted is not None:
        raise UserError(f"leaf {registration.retracted} retracted the registration.")
    if log.board.abandoned(registration, int(time.time())):
        raise UserError(f"leaf {registration.index}: the deadline of the registration is over.")


def _draft(out: Path, registration: Registration) -> Draft:
    """The kept draft of a registration; UserError if it is another plan's."""
    draft = kept(out, registration.leaf.statement)
    digest = draft.digest if draft.salt is None else blinded(draft.salt, draft.digest)
    if digest != registration.leaf.draft:
        raise UserError(
            f"the draft that was kept under {out} is not the plan of leaf {registration.index}."
        )
    return draft


def _proof(log: BoardLog, index: int) -> LogProof:
    """The proof of the leaf; Incomplete before a checkpoint covers it."""
    try:
        return log.prove(index)
    except DocumentError as error:
        raise Incomplete(
            f"{error}: it waits for `mst-bench log sign` of a maintainer.",
            "Pull the board and give the same command again.",
        ) from None


def _with_seeds(draft: Draft, source: str) -> Plan:
    """The plan of a draft with its seeds; UserError if this version would run another one."""
    content = with_seeds(draft.content(), source)
    try:
        stated = parse_plan(content, "the draft")
        check_named(draft.suite, suite_digest(content))
        plan = plan_of(stated, draft.suite)
    except ValueError as error:
        raise UserError(f"{error}: it was registered with another version of mst-bench.") from None
    if plan.canonical() != content:
        raise UserError("the draft was registered with another version of mst-bench.")
    return plan


def _warned(log: BoardLog, index: int, number: int) -> bool:
    """Whether witnesses saw the leaf in time; says so if they did not."""
    moment = log.witnessed_from(index)
    if moment is not None and moment < log.board.root_at(index).beacon.time_of(number):
        return True
    say(
        f"leaf {index}: no quorum of witnesses is known to have seen it before the round of its"
        " seeds; without that, its entry is not ranked. If they hand in later what they cosigned"
        " in time, pull the board and claim again before you sign"
    )
    return False
