"""Versions of the trust root: the first one, and one that follows another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from harness.errors import UserError, suggestion
from harness.files import dump_json, write_atomic
from leaderboard.board.inbox import root_proposal
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.keys import check_public_key, key_id
from leaderboard.formats.log.beacon import QUICKNET, Beacon
from leaderboard.formats.log.root import ROOT_SCHEMA, Role, Root, RootKey, parse_root
from leaderboard.formats.reading import read_limited

ROLES = ("root", "maintainers", "log", "witnesses", "reevaluators", "runners")
BOTH = ("root", "maintainers")
"""Roles of a key that is added without naming one."""
VALID = timedelta(days=3 * 365)
"""How long the first version counts, unless a date is given."""
LARGEST = 1 << 12
"""Bytes of a public key's file that are read."""


@dataclass(frozen=True)
class Given:
    """A public key and the roles that it is to have."""

    roles: tuple[str, ...]
    key: RootKey


def given_key(text: str) -> Given:
    """The key that `[ROLE:][NAME=]KEY` names.

    KEY: 64 hexadecimal digits, or a file that `keys show` was written to, whose name is the key's
    if none is given.
    """
    role, colon, rest = text.partition(":")
    if colon and role in ROLES:
        roles: tuple[str, ...] = (role,)
    elif colon and re.fullmatch("[a-z]+", role):
        raise UserError(f"--add {text}: unknown role.{suggestion(role, ROLES)}")
    else:
        roles, rest = BOTH, text
    name, equals, key = rest.rpartition("=")
    path = Path(key)
    try:
        public_key = key if re.fullmatch("[0-9a-f]{64}", key) else _public_key(path)
        return Given(roles, RootKey(name if equals else path.stem[:64], public_key))
    except ValueError as error:
        raise UserError(f"--add {text}: {error}.") from None


def _public_key(path: Path) -> str:
    """The public key in a file; ValueError if it holds none."""
    try:
        lines = read_limited(path, LARGEST, str(path)).decode(errors="replace").splitlines()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    for line in lines:
        word = line.removeprefix("public key:").strip()
        if re.fullmatch("[0-9a-f]{64}", word):
            check_public_key(word)
            return word
    raise ValueError(f"{path}: holds no public key; write `mst-bench keys show KEY` to a file")


def named_key(text: str) -> str:
    """The id of the key in a file that `keys show` was written to; other text is an id, or the
    beginning of one, already."""
    path = Path(text)
    if not path.is_file():
        return text
    try:
        return key_id(_public_key(path))
    except ValueError as error:
        raise UserError(f"{error}.") from None


def expiry(text: str | None) -> int:
    """The end of a day, `YYYY-MM-DD`, in seconds since 1970; three years from now without one."""
    try:
        day = date.fromisoformat(text) if text else datetime.now(UTC).date() + VALID
    except ValueError:
        raise UserError(f"--expires {text}: expected a day as 2030-01-31.") from None
    return int(datetime.combine(day, time.max, UTC).timestamp())


def chain(path: Path | None) -> Beacon:
    """The chain of public randomness that a file describes; drand's without one."""
    if path is None:
        return QUICKNET
    try:
        return parse(Beacon, read_limited(path, LARGEST, str(path)), str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        raise UserError(str(error)) from None


def first_root(
    origin: str,
    given: Sequence[Given],
    thresholds: Mapping[str, int],
    *,
    expires: int,
    delay: int,
    deadline: int,
    beacon: Beacon,
) -> bytes:
    """Version 1 of a trust root; UserError says what it lacks. `thresholds`: 1 for other roles."""
    roles = {role: Role(0, ()) for role in ROLES}
    try:
        for role in ROLES:
            roles[role] = _role(roles[role], role, given, (), thresholds.get(role, 1))
        return _content(Root(ROOT_SCHEMA, 1, origin, expires, delay, deadline, beacon, **roles))
    except ValueError as error:
        raise UserError(f"the trust root: {error}.") from None


def next_root(
    root: Root,
    given: Sequence[Given],
    dropped: Sequence[str],
    thresholds: Mapping[str, int],
    times: Mapping[str, int],
) -> bytes:
    """The version after `root`; UserError says what is wrong with it. `dropped`: key ids, or their
    beginnings; `times`: `expires`, `delay` or `deadline`. What is not named stays."""
    for key in dropped:
        if not any(_begins(each, key) for role in ROLES for each in _of(root, role).keys):
            raise UserError(f"--drop {key}: is no key of the trust root.")
    try:
        roles = {
            role: _role(
                _of(root, role),
                role,
                given,
                dropped,
                thresholds.get(role, _of(root, role).threshold),
            )
            for role in ROLES
        }
        changes: dict[str, Any] = {"version": root.version + 1, **roles, **times}
        return _content(replace(root, **changes))
    except ValueError as error:
        raise UserError(f"the trust root: {error}.") from None


def _of(root: Root, role: str) -> Role:
    keys: Role = getattr(root, role)
    return keys


def _begins(key: RootKey, beginning: str) -> bool:
    return len(beginning) >= 16 and key.key_id.startswith(beginning)


def _role(
    role: Role, name: str, given: Iterable[Given], dropped: Iterable[str], threshold: int
) -> Role:
    """A role with keys more or less; ValueError if nobody could meet its threshold."""
    gone = tuple(dropped)
    kept = [key for key in role.keys if not any(_begins(key, each) for each in gone)]
    keys = (*kept, *(each.key for each in given if name in each.roles))
    try:
        return Role(threshold if keys else 0, keys)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _content(root: Root) -> bytes:
    """The bytes of a root's file, as they are read again."""
    content = dump_json(asdict(root))
    parse_root(content, "the trust root")
    return content


def write_first_root(board: Path, content: bytes) -> Path:
    """Put the first version into the inbox of a folder that is no board yet; its file."""
    if (board / "log").exists() or (board / "trust").exists():
        raise UserError(f"{board}: is a board already; `keys rotate` makes the next root.")
    (path,) = root_proposal(content, "the trust root").files
    write_atomic(board / path, content)
    return board / path
