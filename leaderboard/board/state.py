"""What the log says at one position: keys, suites, registrations, entries."""

from __future__ import annotations

from dataclasses import dataclass, field

from leaderboard.formats.keys import key_id
from leaderboard.formats.log.leaf import EntryLeaf, RegisterLeaf, RetractLeaf, SuiteLeaf
from leaderboard.formats.log.root import Root


@dataclass
class Member:
    """A submitter: somebody who was admitted, whatever key they speak with now."""

    admitted: int
    """Position of the leaf that admitted them. It names the member."""
    keys: list[str]
    """Their public keys, the present one last."""
    revoked: dict[str, int] = field(default_factory=dict)
    """Id of a revoked key -> position from which what it said is disputed."""
    recovered: bool = False
    """Whether maintainers had to say which key is theirs."""

    @property
    def public_key(self) -> str:
        """The present key."""
        return self.keys[-1]

    @property
    def may_speak(self) -> bool:
        """Whether the present key is not revoked."""
        return key_id(self.public_key) not in self.revoked


@dataclass
class Registration:
    """A plan that was announced."""

    index: int
    leaf: RegisterLeaf
    member: Member
    draft: str | None
    """Digest of the plan without its seeds; None while it is blinded."""
    entry: int | None = None
    """Position of its entry."""
    retracted: int | None = None
    """Position of the leaf that gave it up."""


@dataclass
class LoggedEntry:
    """An accepted entry."""

    index: int
    leaf: EntryLeaf
    registration: Registration
    reevals: list[int] = field(default_factory=list)
    amendments: list[int] = field(default_factory=list)
    retracted: tuple[int, RetractLeaf] | None = None

    @property
    def disputed(self) -> bool:
        """Whether a key was revoked from this entry or its registration on: it is unranked."""
        revoked = self.registration.member.revoked
        spoken = {self.leaf.key: self.index}
        spoken.setdefault(self.registration.leaf.key, self.registration.index)
        return any(key in revoked and revoked[key] <= index for key, index in spoken.items())


@dataclass
class Board:
    """The state of a board after some leaves. It is a function of them, and of nothing else."""

    roots: list[tuple[int, Root]] = field(default_factory=list)
    """Position and content of each version, the one in force last."""
    size: int = 0
    at: int = 0
    """When the last leaf was logged."""
    members: dict[str, Member] = field(default_factory=dict)
    """Id of each key that a member ever had -> member."""
    suites: dict[tuple[str, int], SuiteLeaf] = field(default_factory=dict)
    registrations: dict[int, Registration] = field(default_factory=dict)
    announced: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    """Member and draft -> positions of the registrations of that plan."""
    entries: dict[int, LoggedEntry] = field(default_factory=dict)
    statements: set[str] = field(default_factory=set)
    """Digests of all statements: none is logged twice."""
    payloads: set[str] = field(default_factory=set)
    """Digests of all entries."""
    policies: set[str] = field(default_factory=set)
    """Digests of all entries' policies."""

    @property
    def root(self) -> Root:
        """The trust root in force."""
        return self.roots[-1][1]

    def root_at(self, size: int) -> Root:
        """The trust root that was in force when the log had `size` leaves, at least one."""
        return next(root for index, root in reversed(self.roots) if index < size)

    def is_open(self, registration: Registration, now: int) -> bool:
        """Whether an entry may still follow a registration."""
        ended = registration.entry is not None or registration.retracted is not None
        return not ended and not self.abandoned(registration, now)

    def abandoned(self, registration: Registration, now: int) -> bool:
        """Whether a registration has neither an entry nor time left, and was not given up."""
        if registration.entry is not None or registration.retracted is not None:
            return False
        return now > registration.leaf.at + self.root_at(registration.index).deadline
