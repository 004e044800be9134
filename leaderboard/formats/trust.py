"""A trust file: public keys, whose they are, and what each may sign."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leaderboard.formats import keys
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.keys import KeyFileError
from leaderboard.formats.reading import read_limited

Role = Literal["submitter", "reevaluator", "release", "maintainer"]
"""What a key may sign: entries; re-evaluations of others' entries; releases of images; decisions
about the board, of which there are none yet."""
LARGEST = 1 << 20
"""Bytes of a trust file that are read."""


class UntrustedError(ValueError):
    """A key that a trust file does not name for what it signed; the text says why."""


@dataclass(frozen=True)
class TrustedKey:
    """A public key, whose it is, and what it may sign."""

    name: str
    public_key: str
    """64 hexadecimal digits, in small letters."""
    roles: tuple[Role, ...]
    revoked: str | None = None
    """Why nothing that it signs counts any more; None while it counts."""

    def __post_init__(self) -> None:
        keys.check_public_key(self.public_key)
        if not self.name.strip() or not self.roles:
            raise ValueError("a key has a name and at least one role")


@dataclass(frozen=True)
class Trust:
    """A trust file."""

    schema: Literal["urn:mst-bench:trust:v2"]
    keys: tuple[TrustedKey, ...]

    def __post_init__(self) -> None:
        for public_key, times in Counter(key.public_key for key in self.keys).items():
            if times > 1:
                raise ValueError(f"key {public_key[:16]}.. is listed {times} times")

    def name_of(self, public_key: str, role: Role) -> str:
        """Whose key this is; UntrustedError if it may not sign in this role."""
        shown = f"key {keys.key_id(public_key)[:16]}"
        for key in self.keys:
            if key.public_key != public_key:
                continue
            if key.revoked is not None:
                raise UntrustedError(f"{shown} ({key.name}) is revoked: {key.revoked}")
            if role not in key.roles:
                raise UntrustedError(
                    f"{shown} ({key.name}) is trusted as {', '.join(key.roles)}, not as {role}"
                )
            return key.name
        raise UntrustedError(f"{shown} is not in the trust file")


def load_trust(path: Path) -> Trust:
    """The trust file at `path`; KeyFileError says what is wrong with it."""
    try:
        return parse(Trust, read_limited(path, LARGEST, str(path)), str(path))
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        raise KeyFileError(f"{error} It is no trust file.") from None
