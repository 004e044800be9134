"""The board's rules: what each kind of leaf needs, and what it changes.

Each function checks everything first and changes the board last. ValueError says which rule is
broken.
"""

from __future__ import annotations

import functools

from leaderboard.board.state import Board, LoggedEntry, Member, Registration
from leaderboard.formats.keys import key_id
from leaderboard.formats.log.leaf import (
    AdmitLeaf,
    AmendLeaf,
    EntryLeaf,
    KeychangeLeaf,
    Leaf,
    ReevalLeaf,
    RegisterLeaf,
    RetractLeaf,
    RevealLeaf,
    RevokeLeaf,
    RootLeaf,
    SuiteLeaf,
)
from leaderboard.formats.log.root import Role, Root
from leaderboard.formats.log.statements import SignedStatement
from leaderboard.formats.registration import blinded


def check_root(board: Board, leaf: RootLeaf, root: Root, statement: SignedStatement) -> None:
    """A root needs the thresholds of the version before it and its own; none is skipped."""
    expected = board.root.version + 1 if board.roots else 1
    if (leaf.version, root.version) != (expected, expected):
        raise ValueError(f"expected version {expected} of the trust root, found {root.version}")
    if board.roots and root.origin != board.root.origin:
        raise ValueError(f"a board keeps its origin, {board.root.origin}")
    if leaf.at > root.expires:
        raise ValueError("that version of the trust root has expired already")
    taken = root.public_keys & {key for member in board.members.values() for key in member.keys}
    if taken:
        raise ValueError(f"key {key_id(min(taken))[:16]} is a submitter's and gets no role")

    if board.roots:
        _need(statement, board.root.root, "root, of the version before")
    _need(statement, root.root, "root, of the new version")


def _need(statement: SignedStatement, role: Role, called: str) -> None:
    """ValueError unless enough keys of a role signed."""
    signers = statement.signers(role.public_keys)
    if signers < role.threshold:
        raise ValueError(f"{signers} of {role.threshold} signatures of {called} are there")


def _need_maintainers(board: Board, statement: SignedStatement) -> None:
    _need(statement, board.root.maintainers, "maintainers")


def _need_key(statement: SignedStatement, public_key: str) -> None:
    """ValueError unless this key signed."""
    if not statement.signed_by(public_key):
        raise ValueError(f"key {key_id(public_key)[:16]} did not sign it")


def _need_member(board: Board, key: str, statement: SignedStatement) -> Member:
    """The member whose present key this is, who signed; ValueError otherwise."""
    member = board.members.get(key)
    if member is None:
        raise ValueError(f"key {key[:16]} was not admitted")
    if key_id(member.public_key) != key:
        raise ValueError(f"key {key[:16]} was replaced by {key_id(member.public_key)[:16]}")
    if not member.may_speak:
        raise ValueError(f"key {key[:16]} is revoked")
    _need_key(statement, member.public_key)
    return member


def _need_own(member: Member, owner: Member) -> None:
    if member is not owner:
        raise ValueError("is about something of another submitter")


@functools.singledispatch
def _apply(leaf: Leaf, board: Board, statement: SignedStatement) -> None:
    raise AssertionError(f"no rule for {leaf.kind}")


def apply(board: Board, leaf: Leaf, statement: SignedStatement) -> None:
    """Change the board by a leaf that is no root; ValueError if a rule forbids it."""
    if leaf.at > board.root.expires:
        raise ValueError("the trust root has expired, nothing but a new root is logged")
    _apply(leaf, board, statement)


@_apply.register
def _suite(leaf: SuiteLeaf, board: Board, statement: SignedStatement) -> None:
    _need_maintainers(board, statement)
    name = (leaf.suite, leaf.version)
    former = board.suites.get(name)
    if leaf.state == "open" and former is not None:
        raise ValueError(f"suite {leaf.suite} version {leaf.version} was opened before")
    if leaf.state == "retired" and (former is None or former.state == "retired"):
        raise ValueError(f"suite {leaf.suite} version {leaf.version} is not open")
    if former is not None and former.plan != leaf.plan:
        raise ValueError(f"suite {leaf.suite} version {leaf.version} has another plan")
    board.suites[name] = leaf


@_apply.register
def _admit(leaf: AdmitLeaf, board: Board, statement: SignedStatement) -> None:
    # Nobody is admitted with a key that they do not hold.
    _need_maintainers(board, statement)
    _need_key(statement, leaf.public_key)
    _need_new(board, leaf.public_key)
    board.members[key_id(leaf.public_key)] = Member(board.size, [leaf.public_key])


def _need_new(board: Board, public_key: str) -> None:
    """ValueError if somebody had this key before, or has a role by it."""
    if key_id(public_key) in board.members:
        raise ValueError(f"key {key_id(public_key)[:16]} is or was a submitter's")
    if any(public_key in root.public_keys for _, root in board.roots):
        raise ValueError(f"key {key_id(public_key)[:16]} has or had a role of the trust root")


@_apply.register
def _revoke(leaf: RevokeLeaf, board: Board, statement: SignedStatement) -> None:
    _need_maintainers(board, statement)
    member = board.members.get(leaf.key)
    if member is None:
        raise ValueError(f"key {leaf.key[:16]} was not admitted")
    if leaf.since > board.size:
        raise ValueError(f"since: position {leaf.since} is later than this leaf")
    if member.revoked.get(leaf.key, board.size + 1) <= leaf.since:
        raise ValueError(f"key {leaf.key[:16]} is revoked from that position on already")
    member.revoked[leaf.key] = leaf.since


@_apply.register
def _keychange(leaf: KeychangeLeaf, board: Board, statement: SignedStatement) -> None:
    # Both keys say so; after a loss, the maintainers and the new key.
    _need_new(board, leaf.public_key)
    _need_key(statement, leaf.public_key)
    if leaf.recovered:
        _need_maintainers(board, statement)
        member = board.members.get(leaf.key)
        if member is None or key_id(member.public_key) != leaf.key:
            raise ValueError(f"key {leaf.key[:16]} is no submitter's present key")
        member.recovered = True
    else:
        member = _need_member(board, leaf.key, statement)
    member.keys.append(leaf.public_key)
    board.members[key_id(leaf.public_key)] = member


@_apply.register
def _register(leaf: RegisterLeaf, board: Board, statement: SignedStatement) -> None:
    member = _need_member(board, leaf.key, statement)
    suite = board.suites.get((leaf.suite, leaf.version))
    if suite is None:
        raise ValueError(f"suite {leaf.suite} version {leaf.version} was never opened")
    if suite.state == "retired":
        advice = f" (successor: version {suite.successor})" if suite.successor else ""
        raise ValueError(f"suite {leaf.suite} version {leaf.version} is retired{advice}")

    _need_first(board, member, leaf.draft, leaf.at)
    draft = None if leaf.blinded else leaf.draft
    board.registrations[board.size] = Registration(board.size, leaf, member, draft)
    board.announced.setdefault((member.admitted, leaf.draft), []).append(board.size)


def _need_first(board: Board, member: Member, draft: str, now: int) -> None:
    """ValueError if the member has an open registration of the same plan: whoever registers it
    again and again could take the luckiest seeds."""
    for index in board.announced.get((member.admitted, draft), ()):
        if board.is_open(board.registrations[index], now):
            raise ValueError(f"leaf {index} is an open registration of the same plan")


def _need_registration(board: Board, index: int, member: Member) -> Registration:
    """A member's own registration that is not given up."""
    registration = board.registrations.get(index)
    if registration is None:
        raise ValueError(f"leaf {index} is no registration")
    _need_own(member, registration.member)
    if registration.retracted is not None:
        raise ValueError(f"leaf {registration.retracted} retracted the registration")
    return registration


@_apply.register
def _reveal(leaf: RevealLeaf, board: Board, statement: SignedStatement) -> None:
    member = _need_member(board, leaf.key, statement)
    registration = _need_registration(board, leaf.registration, member)
    if registration.draft is not None:
        raise ValueError(f"leaf {registration.index} is not blinded any more")
    if blinded(leaf.salt, leaf.draft) != registration.leaf.draft:
        raise ValueError(f"leaf {registration.index} announced another plan")
    _need_first(board, member, leaf.draft, leaf.at)
    registration.draft = leaf.draft
    board.announced.setdefault((member.admitted, leaf.draft), []).append(registration.index)


@_apply.register
def _entry(leaf: EntryLeaf, board: Board, statement: SignedStatement) -> None:
    member = _need_member(board, leaf.key, statement)
    registration = _need_registration(board, leaf.registration, member)
    if registration.entry is not None:
        raise ValueError(f"leaf {registration.entry} is the entry of that registration")
    if registration.draft is None:
        raise ValueError(f"leaf {registration.index} is blinded: reveal it first")
    if board.abandoned(registration, leaf.at):
        raise ValueError(f"leaf {registration.index} is abandoned: its deadline is over")
    if leaf.entry in board.payloads or leaf.policies in board.policies:
        raise ValueError("the same runs were entered before")

    registration.entry = board.size
    board.entries[board.size] = LoggedEntry(board.size, leaf, registration)
    board.payloads.add(leaf.entry)
    board.policies.add(leaf.policies)


def _need_entry(board: Board, index: int) -> LoggedEntry:
    entry = board.entries.get(index)
    if entry is None:
        raise ValueError(f"leaf {index} is no entry")
    if entry.retracted is not None:
        raise ValueError(f"leaf {entry.retracted[0]} retracted the entry")
    return entry


@_apply.register
def _reeval(leaf: ReevalLeaf, board: Board, statement: SignedStatement) -> None:
    # L3 is what a runner of the board trained; below it anybody may who measures.
    entry = _need_entry(board, leaf.entry)
    role = board.root.runners if leaf.level == "L3" else board.root.reevaluators
    for key in role.keys:
        if key.key_id == leaf.key:
            _need_key(statement, key.public_key)
            entry.reevals.append(board.size)
            return
    called = "runners" if leaf.level == "L3" else "reevaluators"
    raise ValueError(f"key {leaf.key[:16]} is none of the {called}")


@_apply.register
def _amend(leaf: AmendLeaf, board: Board, statement: SignedStatement) -> None:
    member = _need_member(board, leaf.key, statement)
    entry = _need_entry(board, leaf.entry)
    _need_own(member, entry.registration.member)
    entry.amendments.append(board.size)


@_apply.register
def _retract(leaf: RetractLeaf, board: Board, statement: SignedStatement) -> None:
    # The submitter, or maintainers with a reason.
    member = None
    if leaf.key is not None:
        member = _need_member(board, leaf.key, statement)
    else:
        _need_maintainers(board, statement)
        if not statement.spoken.reason.strip():
            raise ValueError("maintainers retract nothing without a reason")

    # A registration that has an entry is retracted by its entry.
    registration = board.registrations.get(leaf.target)
    if registration is not None:
        if registration.entry is not None:
            raise ValueError(f"leaf {registration.entry} is its entry: retract that")
        registration = _need_registration(board, leaf.target, member or registration.member)
        registration.retracted = board.size
        return
    entry = _need_entry(board, leaf.target)
    if member is not None:
        _need_own(member, entry.registration.member)
    entry.retracted = (board.size, leaf)
