"""`mst-bench keys`, and the key that a command signs with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import UserError

if TYPE_CHECKING:
    from leaderboard.formats.keys import SigningKey

keys_app = typer.Typer(no_args_is_help=True, help="Signing keys.")

KeyOption = Annotated[
    Path | None,
    typer.Option("--key", envvar="MST_BENCH_KEY", help="Ed25519 key. Default: a one-use key."),
]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", envvar="MST_BENCH_TRUST", help="Trust file: keys that are known."),
]
PassphraseOption = Annotated[
    Path | None, typer.Option("--passphrase-file", help="File whose first line is the passphrase.")
]


@keys_app.command("generate")
def keys_generate(
    path: Annotated[Path, typer.Argument(help="Where to write it.")],
    passphrase_file: PassphraseOption = None,
) -> None:
    """Make an Ed25519 key (PEM, mode 0600); an existing file is never overwritten."""
    from leaderboard.formats import keys

    _print_key(_keyed(lambda: keys.generate(path, _passphrase(passphrase_file))))


@keys_app.command("show")
def keys_show(
    path: Annotated[Path, typer.Argument(help="Private key.")],
    passphrase_file: PassphraseOption = None,
) -> None:
    """Print a key's id and public half, as a trust file wants them."""
    from leaderboard.formats import keys

    _print_key(_keyed(lambda: keys.load(path, _passphrase(passphrase_file))))


def _print_key(key: SigningKey) -> None:
    typer.echo(f"key id:     {key.key_id}\npublic key: {key.public_hex}")


def _passphrase(path: Path | None) -> bytes | None:
    """From a file's first line, or MST_BENCH_PASSPHRASE."""
    if path is None:
        passphrase = os.environ.get("MST_BENCH_PASSPHRASE")
        return passphrase.encode() if passphrase else None
    try:
        return path.read_bytes().splitlines()[0]
    except (OSError, IndexError):
        raise UserError(f"--passphrase-file {path}: cannot be read, or is empty.") from None


def signing_key(path: Path | None) -> SigningKey:
    """The key in a file, or a one-use key without one."""
    from leaderboard.formats import keys

    if path is None:
        return keys.one_use_key()
    return _keyed(lambda: keys.load(path, _passphrase(None)))


def _keyed(read: Callable[[], SigningKey]) -> SigningKey:
    """Key files are the user's: their defects are one sentence."""
    from leaderboard.formats.keys import KeyFileError

    try:
        return read()
    except KeyFileError as error:
        raise UserError(str(error)) from None
