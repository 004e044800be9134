"""What a board says, put together for pages: submitters, registrations and entries.

Everything follows from the log, the entries' folders and the names. The moment that pages speak of
is the log's own: the newest that a leaf or a cosignature names. So the same board gives the same
pages whenever they are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from leaderboard.board.log import BoardLog
from leaderboard.board.repository import RepositoryDocuments
from leaderboard.board.state import LoggedEntry, Member, Registration
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import key_id
from leaderboard.formats.log.leaf import AnyLeaf, ReevalLeaf, parse_leaf
from leaderboard.formats.person import Person, parse_person
from leaderboard.formats.reeval import Level
from leaderboard.pages.board.entries import EntryReader, ReadEntry

State = Literal["open", "submitted", "abandoned", "retracted"]
WITHDRAWN = "withdrawn name"
"""What stands where a name is told nowhere any more."""
REASONED = ("retract", "revoke", "suite", "amend", "keychange")
"""Kinds of leaves whose statements may say why."""


@dataclass(frozen=True, eq=False)
class Submitter:
    """Somebody who was admitted, and what they did."""

    member: Member
    person: Person | None
    refused: str | None
    """Why the file with their name is not shown."""
    registrations: list[Announced] = field(default_factory=list)

    @property
    def ident(self) -> str:
        """What their page is called: their first key never changes."""
        return key_id(self.member.keys[0])[:16]

    @property
    def key(self) -> str:
        """The present key's id, short."""
        return key_id(self.member.public_key)[:16]

    @property
    def name(self) -> str:
        """What they call themselves."""
        return self.person.name if self.person else WITHDRAWN


@dataclass(frozen=True, eq=False)
class Announced:
    """A registered plan."""

    registration: Registration
    submitter: Submitter
    state: State
    deadline: int
    witnessed: int | None
    """When a quorum had cosigned its leaf; None if none did."""
    round: int
    """Of the beacon: the first one from `delay` after the leaf on."""
    round_time: int

    @property
    def index(self) -> int:
        """Position of its leaf."""
        return self.registration.index

    @property
    def siblings(self) -> list[Announced]:
        """All registrations of the same submitter for the same suite, this one among them."""
        leaf = self.registration.leaf
        suite = (leaf.suite, leaf.version)
        return [
            announced
            for announced in self.submitter.registrations
            if (announced.registration.leaf.suite, announced.registration.leaf.version) == suite
        ]

    @property
    def in_time(self) -> bool:
        """Whether the quorum saw the leaf before its seeds could be known."""
        return self.witnessed is not None and self.witnessed < self.round_time


@dataclass(frozen=True, eq=False)
class BoardEntry:
    """An accepted entry."""

    logged: LoggedEntry
    announced: Announced
    read: ReadEntry | None
    """None if its folder is not in this clone."""
    level: Level
    reevals: list[tuple[int, ReevalLeaf]]
    licence: str

    @property
    def index(self) -> int:
        """Position of its leaf: what its page is called."""
        return self.logged.index

    @property
    def registrations(self) -> int:
        """How many plans its submitter had registered for the suite when it was handed in, this one
        among them: it may be the best of as many. Later ones change nothing about it."""
        return sum(each.index < self.index for each in self.announced.siblings)

    @property
    def leaves(self) -> list[int]:
        """Positions of all leaves about it."""
        logged = self.logged
        retracted = [] if logged.retracted is None else [logged.retracted[0]]
        announced = [self.announced.index, logged.index]
        return sorted([*announced, *logged.reevals, *logged.amendments, *retracted])


@dataclass(frozen=True, eq=False)
class Facts:
    """A board, for its pages."""

    log: BoardLog
    leaves: list[AnyLeaf]
    reasons: Mapping[int, str]
    """Position -> why, where the statement of a leaf says so."""
    released: frozenset[str]
    """Contents of images that the project released."""
    submitters: list[Submitter]
    entries: list[BoardEntry]

    @property
    def origin(self) -> str:
        """Whose log it is."""
        return self.log.board.root.origin

    @cached_property
    def registrations(self) -> list[Announced]:
        """All of them, the newest first."""
        announced = [each for submitter in self.submitters for each in submitter.registrations]
        return sorted(announced, key=lambda each: -each.index)

    @cached_property
    def now(self) -> int:
        """The moment that the board speaks of."""
        return moment_of(self.log)

    @cached_property
    def by_key(self) -> dict[str, Submitter]:
        """Id of every key that a submitter ever had -> submitter."""
        return {key_id(key): each for each in self.submitters for key in each.member.keys}


def moment_of(log: BoardLog) -> int:
    """The newest moment that a leaf or a cosignature names."""
    cosigned = [time for signed in log.signed.values() for time in signed.cosigned.values()]
    return max([log.board.at, *cosigned])


def gather(
    log: BoardLog,
    documents: RepositoryDocuments,
    people: Mapping[str, bytes],
    released: frozenset[str],
    reader: EntryReader,
) -> Facts:
    """Everything that pages say. `people`: first 16 digits of a key's id -> content of its file.
    `released`: contents of released images."""
    leaves = [parse_leaf(leaf, f"leaf {index}") for index, leaf in enumerate(log.leaves)]
    submitters = _submitters(log, people)
    by_member = {submitter.member.admitted: submitter for submitter in submitters}
    now = moment_of(log)
    for registration in log.board.registrations.values():
        submitter = by_member[registration.member.admitted]
        submitter.registrations.append(_announced(log, registration, submitter, now))

    # Entries are read one after the other: each may be large.
    announced = {each.index: each for every in submitters for each in every.registrations}
    entries = [
        _entry(logged, announced[logged.registration.index], leaves, reader)
        for logged in log.board.entries.values()
    ]
    return Facts(log, leaves, _reasons(leaves, documents), released, submitters, entries)


def _submitters(log: BoardLog, people: Mapping[str, bytes]) -> list[Submitter]:
    """Every member once, in the order of their admission."""
    members = {member.admitted: member for member in log.board.members.values()}
    return [_submitter(members[index], people) for index in sorted(members)]


def _submitter(member: Member, people: Mapping[str, bytes]) -> Submitter:
    """A member under the name that one of their keys has, the present one first."""
    for key in reversed(member.keys):
        short = key_id(key)[:16]
        if short in people:
            try:
                person = parse_person(people[short], f"people/{short}.json")
                return Submitter(member, person if person.name else None, None)
            except DocumentError as error:
                return Submitter(member, None, str(error))
    return Submitter(member, None, None)


def _announced(
    log: BoardLog, registration: Registration, submitter: Submitter, now: int
) -> Announced:
    """A registration as it stands at this moment."""
    root = log.board.root_at(registration.index)
    number = root.beacon.round_from(registration.leaf.at + root.delay)
    state: State = "open"
    if registration.entry is not None:
        state = "submitted"
    elif registration.retracted is not None:
        state = "retracted"
    elif log.board.abandoned(registration, now):
        state = "abandoned"
    return Announced(
        registration,
        submitter,
        state,
        deadline=registration.leaf.at + root.deadline,
        witnessed=log.witnessed_from(registration.index),
        round=number,
        round_time=root.beacon.time_of(number),
    )


def _entry(
    logged: LoggedEntry, announced: Announced, leaves: list[AnyLeaf], reader: EntryReader
) -> BoardEntry:
    """An entry with its folder and what others said of it."""
    reevals = list[tuple[int, ReevalLeaf]]()
    for index in logged.reevals:
        leaf = leaves[index]
        assert isinstance(leaf, ReevalLeaf), "the fold says so"
        reevals.append((index, leaf))
    level: Level = max((leaf.level for _, leaf in reevals), default="L0")
    measured = {leaf.measured: leaf.level for _, leaf in reevals}
    read = reader.read(logged, measured, announced.witnessed)
    return BoardEntry(logged, announced, read, level, reevals, logged.leaf.licence)


def _reasons(leaves: list[AnyLeaf], documents: RepositoryDocuments) -> dict[int, str]:
    """Why, where somebody said so."""
    reasons: dict[int, str] = {}
    for index, leaf in enumerate(leaves):
        if leaf.kind in REASONED:
            reason = documents.statement(leaf.statement).spoken.reason.strip()
            if reason:
                reasons[index] = reason
    return reasons
