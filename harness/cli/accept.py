"""`mst-bench accept`: what is logged of what was handed in to a board."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.clone import (
    HERE,
    BoardOption,
    BranchOption,
    RemoteOption,
    print_accepted,
    repository,
)
from harness.cli.keys import PassphraseOption, signing_key
from harness.cli.printing import JsonOption, echo, print_json

if TYPE_CHECKING:
    from harness.board.git import Repository


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(accept)


def accept(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Files of the inbox, folders of entries, re-evaluations, persons' files.",
        ),
    ],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Ed25519 key of a maintainer, for what several sign."),
    ] = None,
    board: BoardOption = HERE,
    remote: RemoteOption = "origin",
    branch: BranchOption = "main",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check what was handed in, once more and on your machine, and log it by a push.

    What several must sign gets your signature; the last one has it logged. Of several things, the
    first that is wrong ends the command; those before it are logged.
    """
    from harness.board.accept import accept as accepted
    from harness.board.accept import inside
    from harness.board.people import REQUEST

    clone = repository(board, remote, branch)
    signing = None if key is None else signing_key(key, passphrase_file)
    names = [path for path in paths if REQUEST.fullmatch(path.name)]
    inbox = [inside(board, path) for path in paths if path not in names]
    for request in names:
        _publish(clone, request, as_json)
    for path in one_each(inbox):
        print_accepted(accepted(clone, path, signing), as_json)


def one_each(paths: Iterable[str]) -> list[str]:
    """The paths, one of each statement: every signer of one has a file in the inbox."""
    from leaderboard.board.inbox import NAME

    chosen = dict[str, str]()
    for path in paths:
        matched = NAME.fullmatch(path.rpartition("/")[2])
        chosen.setdefault("-".join(matched.group(1, 2)) if matched else path, path)
    return list(chosen.values())


def _publish(clone: Repository, request: Path, as_json: bool) -> None:
    from harness.board.people import publish_name

    published = publish_name(clone, request)
    print_json({"key": published}) if as_json else echo(f"name of key {published[:16]}: published")
