"""Names of submitters: on a branch of their own, whose history is thrown away with each change.

A submitter signs how they want to be called, and a maintainer publishes it. A name that was taken
back is in no commit of the board any more, as it would be on the main branch for ever. A request
says when it was signed, and an older one than what is published is refused.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from harness.board.append import TRIES, Main
from harness.board.git import Busy, Repository
from harness.board.log import AHEAD, refusing
from harness.board.statements import read_clone
from harness.errors import Incomplete, UserError
from harness.files import dump_json, write_atomic
from leaderboard.board.state import Board
from leaderboard.formats import envelope, strict_json
from leaderboard.formats.document import DocumentError, build
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.log.leaf import check_sha256
from leaderboard.formats.person import PERSON_SCHEMA, Person, parse_person, taken_back
from leaderboard.formats.reading import read_limited
from leaderboard.formats.statement import STATEMENT_TYPE, Subject

BRANCH = "people"
REQUEST = re.compile(r"person-[0-9a-f]{16}\.dsse\.json", re.ASCII)
"""The file of a name that waits to be published."""
REQUEST_TYPE: Literal["urn:mst-bench:person-request:v2"] = "urn:mst-bench:person-request:v2"
LARGEST = 1 << 14
"""Bytes of a request that are read."""


@dataclass(frozen=True)
class _Wish:
    """What a submitter signs."""

    origin: str
    """Of the log that knows the key."""
    key: str
    """Its id."""
    person: Person

    def __post_init__(self) -> None:
        check_sha256(self.key, "key")


@dataclass(frozen=True)
class _Document:
    """The same in in-toto's field names."""

    _type: Literal["https://in-toto.io/Statement/v1"]
    subject: tuple[Subject, ...]
    predicateType: Literal["urn:mst-bench:person-request:v2"]  # noqa: N815
    predicate: _Wish


def request_name(
    board: Path, key: SigningKey, name: str, affiliation: str, link: str | None, to: Path
) -> Path:
    """Write how a submitter wants to be called, for a maintainer to publish; the file."""
    try:
        person = Person(PERSON_SCHEMA, name, affiliation, link, int(time.time()))
    except ValueError as error:
        raise UserError(f"{error}.") from None
    wish = _Wish(read_clone(board).board.root.origin, key.key_id, person)
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [],
        "predicateType": REQUEST_TYPE,
        "predicate": asdict(wish),
    }
    path = to / f"person-{key.key_id[:16]}.dsse.json"
    write_atomic(path, dump_json(envelope.sign(dump_json(document), key)))
    return path


def publish_name(repository: Repository, request: Path) -> str:
    """Put a name onto the branch of names; the id of its key. Raises Invalid unless the present key
    of a submitter signed it, later than what is published."""
    try:
        content = read_limited(request, LARGEST, str(request))
    except OSError as error:
        raise UserError(f"{request}: cannot be read ({error.strerror}).") from None
    with refusing(repository.folder):
        with repository.files(repository.fetch()) as files:
            board = Main.read(files).board
        try:
            wish = _opened(content, board)
        except ValueError as error:
            raise DocumentError(f"{request.name}: {error}") from None
    path = _path(wish.key)

    def newer(present: dict[str, bytes]) -> dict[str, bytes | None]:
        with refusing(repository.folder):
            _check_newer(wish.person, present.get(path), request.name)
        return {path: dump_json(asdict(wish.person))}

    _replace(repository, newer)
    return wish.key


def _check_newer(person: Person, published: bytes | None, location: str) -> None:
    """DocumentError for a request from before what is published: whoever kept it could bring back
    a name that was replaced or taken back. One of the future would bar every later one."""
    ahead = person.at - int(time.time())
    if ahead > AHEAD:
        raise DocumentError(f"{location}: was signed {ahead} seconds from now")
    if published is not None and parse_person(published, location).at > person.at:
        raise DocumentError(f"{location}: is older than what is published: ask for a new one")


def _opened(content: bytes, board: Board) -> _Wish:
    """What a submitter of the board signed with their present key; ValueError if none did."""
    opened = envelope.open_envelope(content)
    wish = build(_Document, strict_json.parse(opened.payload), "payload").predicate
    member = board.members.get(wish.key)
    if member is None or not member.may_speak or wish.origin != board.root.origin:
        raise ValueError(f"key {wish.key[:16]} is no submitter's here")
    envelope.check_signature(opened, member.public_key)
    return wish


def forget_name(repository: Repository, beginning: str) -> str:
    """Take a name off the branch of names; the beginning of its key's id."""

    def removed(present: dict[str, bytes]) -> dict[str, bytes | None]:
        begun = [path for path in present if path.startswith(f"{BRANCH}/{beginning[:16]}")]
        if len(beginning) < 8 or len(begun) != 1:
            raise UserError(f"key {beginning[:64]}: names {len(begun)} published names, not one.")

        # Later than whatever was signed until now, also by a clock that is ahead.
        (path,) = begun
        latest = max(int(time.time()), parse_person(present[path], path).at)
        return {path: dump_json(asdict(taken_back(latest + 1)))}

    with refusing(repository.folder):
        (path,) = _replace(repository, removed)
    return path.rpartition("/")[2].removesuffix(".json")


def _path(key: str) -> str:
    return f"{BRANCH}/{key[:16]}.json"


def _replace(
    repository: Repository, change: Callable[[dict[str, bytes]], dict[str, bytes | None]]
) -> dict[str, bytes | None]:
    """Replace the branch of names by one commit without a past; what was changed. `change`: makes
    that of the files that are there."""
    names = replace(repository, branch=BRANCH)
    for _ in range(TRIES):
        former = names.fetch_if_there()
        present = dict[str, bytes]()
        if former is not None:
            with names.files(former) as files:
                paths = [f"{BRANCH}/{name}" for name in files.names(BRANCH)]
                present = {path: files.read(path, LARGEST) for path in paths}
        changes = change(present)
        commit = names.commit(former, changes, "Names of submitters", history=False)
        try:
            names.replace(commit, former)
        except Busy:
            continue
        return changes
    raise Incomplete(
        f"{repository.folder}: others pushed at the same moment, twice; no name was changed.",
        "Give the same command again.",
    )
