"""What maintainers decide together: suites, revoked keys, retracted rows, the next trust root.

The first maintainer who gives a command begins a statement, and another who gives the same one, or
accepts the statement, completes it (accept.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.board.accept import Accepted, sign_together, waiting_or_new
from harness.board.append import Main
from harness.board.git import Repository
from harness.board.root import Given, next_root
from harness.errors import UserError
from leaderboard.board.inbox import Proposal, root_proposal
from leaderboard.board.state import Board
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.plan import parse_plan, suite_digest
from leaderboard.formats.reading import read_limited
from leaderboard.formats.shipped import shipped_plans

LARGEST_PLAN = 16 << 20
"""Bytes of a plan that are read."""


def _decide(
    repository: Repository,
    leaf: Callable[[Board], dict[str, object]],
    reason: str,
    key: SigningKey,
) -> Accepted:
    """Sign what maintainers say together; `leaf` makes it from the board as it is on main."""

    def proposal(main: Main) -> Proposal:
        return waiting_or_new(main, leaf(main.board), reason)

    return sign_together(repository, proposal, key)


def open_suite(
    repository: Repository, suite: str, version: int, plan: Path | None, key: SigningKey
) -> Accepted:
    """Open a version of a suite; `plan`: a plan.json of it, unless this release ships it."""
    leaf = _suite(suite, version, "open", _plan_digest(suite, version, plan), None)
    return _decide(repository, lambda board: leaf, "", key)


def retire_suite(
    repository: Repository, suite: str, version: int, successor: int | None, key: SigningKey
) -> Accepted:
    """Retire a version of a suite: nothing is registered for it any more."""

    def leaf(board: Board) -> dict[str, object]:
        opened = board.suites.get((suite, version))
        plan = "0" * 64 if opened is None else opened.plan
        return _suite(suite, version, "retired", plan, successor)

    return _decide(repository, leaf, "", key)


def newest_version(suite: str) -> int:
    """The newest version of a shipped suite; 1 for another."""
    return max(map(int, shipped_plans().get(suite, {"1": None})))


def _suite(
    suite: str, version: int, state: str, plan: str, successor: int | None
) -> dict[str, object]:
    return {
        "kind": "suite",
        "suite": suite,
        "version": version,
        "state": state,
        "plan": plan,
        "successor": successor,
    }


def _plan_digest(suite: str, version: int, plan: Path | None) -> str:
    """What names the suite's plan."""
    if plan is None:
        shipped = shipped_plans().get(suite, {}).get(str(version))
        if shipped is None:
            raise UserError(f"{suite} version {version}: is not shipped; give --plan plan.json.")
        return shipped.plan
    try:
        content = read_limited(plan, LARGEST_PLAN, str(plan))
        parse_plan(content, str(plan))
    except OSError as error:
        raise UserError(f"{plan}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        raise UserError(str(error)) from None
    return suite_digest(content)


def revoke(
    repository: Repository, beginning: str, since: int, reason: str, key: SigningKey
) -> Accepted:
    """Revoke a submitter's key: what it said from a position on is disputed."""

    def leaf(board: Board) -> dict[str, object]:
        return {"kind": "revoke", "key": member_key(board, beginning), "since": since}

    return _decide(repository, leaf, reason, key)


def member_key(board: Board, beginning: str) -> str:
    """The id of a submitter's key that begins so; DocumentError unless there is one."""
    begun = [key for key in board.members if key.startswith(beginning)]
    if len(beginning) < 8 or len(begun) != 1:
        raise DocumentError(f"key {beginning[:64]}: names {len(begun)} submitters' keys, not one")
    return begun[0]


def retract(repository: Repository, target: int, reason: str, key: SigningKey) -> Accepted:
    """Take an entry off the ranking, or end a registration, in the name of the board."""
    leaf: dict[str, object] = {"kind": "retract", "key": None, "target": target}
    return _decide(repository, lambda board: leaf, reason, key)


def rotate(
    repository: Repository,
    given: Sequence[Given],
    dropped: Sequence[str],
    thresholds: Mapping[str, int],
    times: Mapping[str, int],
    key: SigningKey,
) -> Accepted:
    """Bring the next version of the trust root into force."""

    def proposal(main: Main) -> Proposal:
        if not main.board.roots:
            raise DocumentError("the board has no trust root yet")
        content = next_root(main.board.root, given, dropped, thresholds, times)
        return root_proposal(content, "the trust root")

    return sign_together(repository, proposal, key)
