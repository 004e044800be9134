"""Names of submitters: on a branch of their own, whose history is thrown away with each change.

A submitter signs how they want to be called, and a maintainer publishes it. A name that was taken
back is in no commit of the board any more, as it would be on the main branch for ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from harness.board.append import TRIES, Main
from harness.board.git import Busy, Repository
from harness.board.log import refusing
from harness.board.statements import read_clone
from harness.errors import Incomplete, UserError
from harness.files import dump_json, write_atomic
from leaderboard.board.state import Board
from leaderboard.formats import envelope, strict_json
from leaderboard.formats.document import DocumentError, build
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.log.leaf import check_sha256
from leaderboard.formats.person import PERSON_SCHEMA, Person
from leaderboard.formats.reading import read_limited
from leaderboard.formats.statement import STATEMENT_TYPE, Subject

BRANCH = "people"
REQUEST = re.compile(r"person-[0-9a-f]{16}\.dsse\.json", re.ASCII)
"""The file of a name that waits to be published."""
REQUEST_TYPE: Literal["urn:mst-bench:person-request:v1"] = "urn:mst-bench:person-request:v1"
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
    predicateType: Literal["urn:mst-bench:person-request:v1"]  # noqa: N815
    predicate: _Wish


def request_name(
    board: Path, key: SigningKey, name: str, affiliation: str, link: str | None, to: Path
) -> Path:
    """Write how a submitter wants to be called, for a maintainer to publish; the file."""
    try:
        person = Person(PERSON_SCHEMA, name, affiliation, link)
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
    of a submitter signed it."""
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
    person = dump_json(asdict(wish.person))
    _replace(repository, lambda names: {_path(wish.key): person})
    return wish.key


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

    def removed(names: list[str]) -> dict[str, bytes | None]:
        begun = [name for name in names if name.startswith(beginning[:16])]
        if len(beginning) < 8 or len(begun) != 1:
            raise UserError(f"key {beginning[:64]}: names {len(begun)} published names, not one.")
        return {f"{BRANCH}/{begun[0]}": None}

    (path,) = _replace(repository, removed)
    return path.rpartition("/")[2].removesuffix(".json")


def _path(key: str) -> str:
    return f"{BRANCH}/{key[:16]}.json"


def _replace(
    repository: Repository, change: Callable[[list[str]], dict[str, bytes | None]]
) -> dict[str, bytes | None]:
    """Replace the branch of names by one commit without a past; what was changed."""
    names = replace(repository, branch=BRANCH)
    for _ in range(TRIES):
        former = names.fetch_if_there()
        present = list[str]()
        if former is not None:
            with names.files(former) as files:
                present = files.names(BRANCH)
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
