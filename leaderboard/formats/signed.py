"""Reads the signed statements that accompany an entry (release, re-evaluation): form, schema,
signature, and whether their key may sign them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from leaderboard.formats import envelope, strict_json
from leaderboard.formats.keys import KeyFileError
from leaderboard.formats.reading import read_limited
from leaderboard.formats.statement import Signer, Statement, read_statement
from leaderboard.formats.trust import Role, load_trust


class SignedError(ValueError):
    """A statement that cannot be relied on; the text says why."""


@dataclass(frozen=True)
class SignedPredicate:
    """What every predicate that someone signed has."""

    signer: Signer


S = TypeVar("S", bound=SignedPredicate)


@dataclass(frozen=True)
class Signed(Generic[S]):
    """A statement whose signature holds."""

    statement: Statement[S]
    payload_sha256: str
    trusted: str | None
    """Whose key signed it; None without a trust file: then it says nothing, as anyone can sign."""


def read_signed(
    path: Path, schema: str, predicate: type[S], trust: Path | None, role: Role
) -> Signed[S]:
    """The statement in a file: its form, schema and signature hold, and where a trust file is
    named, its key may sign in this role.

    Raises SignedError otherwise, OSError if the file cannot be read, and KeyFileError for a bad
    trust file.
    """
    # The payload that is parsed is the one whose signature is checked.
    try:
        opened = envelope.open_envelope(read_limited(path, envelope.LARGEST, "it"))
        statement = read_statement(strict_json.parse(opened.payload), schema, predicate)
        signer = statement.predicate.signer
        envelope.check_signature(opened, signer.public_key)

        # Anybody can sign; the trust file says whose the key is.
        name = None
        if trust is not None:
            name = load_trust(trust).name_of(signer.public_key, role)
    except KeyFileError:
        raise  # the trust file's mistake, not the statement's
    except ValueError as error:
        raise SignedError(f"{path}: {error}") from None
    return Signed(statement, opened.payload_sha256, name)
