"""`mst-bench keys`, and the key that a command signs with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.app import App
from harness.cli.printing import JsonOption, echo, print_json
from harness.cli.variables import PASSPHRASE
from harness.errors import UserError

if TYPE_CHECKING:
    from leaderboard.formats.keys import SigningKey

keys_app = App(no_args_is_help=True, help="Signing keys.")

KeyOption = Annotated[
    Path | None, typer.Option("--key", help="Ed25519 key. Default: a one-use key.")
]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", help="Trust file: keys that are known, and what each may sign."),
]
TensorsOption = Annotated[
    Path | None, typer.Option("--tensors", help="Folder of tensors that are kept elsewhere.")
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help=f"File whose first line is the key's passphrase. Without it, {PASSPHRASE} counts.",
    ),
]


@keys_app.command("generate")
def keys_generate(
    path: Annotated[Path, typer.Argument(help="Where to write it.")],
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an Ed25519 key (PEM, mode 0600); an existing file is never overwritten."""
    from leaderboard.formats import keys

    _print_key(_keyed(lambda: keys.generate(path, _passphrase(passphrase_file))), as_json)


@keys_app.command("show")
def keys_show(
    path: Annotated[Path, typer.Argument(help="Private key.")],
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a key's id and public half, as a trust file wants them."""
    _print_key(signing_key(path, passphrase_file), as_json)


def _print_key(key: SigningKey, as_json: bool) -> None:
    if as_json:
        print_json({"key_id": key.key_id, "public_key": key.public_hex})
        return
    echo(f"key id:     {key.key_id}")
    echo(f"public key: {key.public_hex}")


def _passphrase(path: Path | None) -> bytes | None:
    """From a file's first line, or from the environment."""
    if path is None:
        passphrase = os.environ.get(PASSPHRASE)
        return passphrase.encode() if passphrase else None
    try:
        first = path.read_bytes().splitlines()[0]
    except (OSError, IndexError):
        first = b""
    if not first:
        raise UserError(f"--passphrase-file {path}: cannot be read, or its first line is empty.")
    return first


def signing_key(path: Path | None, passphrase_file: Path | None) -> SigningKey:
    """The key in a file, or a one-use key without one."""
    from leaderboard.formats import keys

    if path is None:
        return keys.one_use_key()
    passphrase = _passphrase(passphrase_file)
    try:
        return _keyed(lambda: keys.load(path, passphrase))
    except UserError as error:
        if passphrase is None and "password" in str(error).lower():
            raise UserError(
                f"--key {path}: is encrypted; give --passphrase-file FILE, or {PASSPHRASE}."
            ) from None
        raise


def _keyed(read: Callable[[], SigningKey]) -> SigningKey:
    """Key files are the user's: their defects are one sentence."""
    from leaderboard.formats.keys import KeyFileError

    try:
        return read()
    except KeyFileError as error:
        raise UserError(str(error)) from None
