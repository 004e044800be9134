"""`mst-bench keys rotate | revoke | change`: whose keys count on a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.board import (
    DEADLINE,
    DELAY,
    AddOption,
    ExpiresOption,
    QuorumOption,
    ThresholdOption,
    thresholds,
)
from harness.cli.clone import (
    HERE,
    BoardKeyOption,
    BoardOption,
    BranchOption,
    ReasonOption,
    RemoteOption,
    print_accepted,
    print_written,
    repository,
)
from harness.cli.keys import PassphraseOption, signing_key
from harness.cli.printing import JsonOption
from harness.errors import UserError


def register(app: typer.Typer) -> None:
    """Add these commands to `keys`."""
    app.command("rotate")(keys_rotate)
    app.command("revoke")(keys_revoke)
    app.command("change")(keys_change)


def keys_rotate(
    key: BoardKeyOption,
    add: AddOption = [],  # noqa: B006 - typer wants a plain default
    drop: Annotated[
        list[str],
        typer.Option("--drop", help="Id of a key, its beginning, or its file: it loses its roles."),
    ] = [],  # noqa: B006
    threshold: ThresholdOption = None,
    quorum: QuorumOption = None,
    expires: ExpiresOption = None,
    delay: Annotated[int | None, DELAY] = None,
    deadline: Annotated[int | None, DEADLINE] = None,
    board: BoardOption = HERE,
    remote: RemoteOption = "origin",
    branch: BranchOption = "main",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the next version of a board's trust root into force, with its other holders.

    What is not named stays.
    """
    from harness.board import root
    from harness.board.decisions import rotate

    signing = signing_key(key, passphrase_file)
    ends = None if expires is None else root.expiry(expires)
    times = {"expires": ends, "delay": delay, "deadline": deadline}
    accepted = rotate(
        repository(board, remote, branch),
        [root.given_key(text) for text in add],
        [root.named_key(text) for text in drop],
        thresholds(threshold, quorum),
        {name: seconds for name, seconds in times.items() if seconds is not None},
        signing,
    )
    print_accepted(accepted, as_json)


def keys_revoke(
    stolen: Annotated[
        str, typer.Argument(metavar="KEY", help="Id of a submitter's key, its beginning, or file.")
    ],
    since: Annotated[
        int, typer.Option("--since", min=0, help="What it said from this leaf on is disputed.")
    ],
    key: BoardKeyOption,
    reason: ReasonOption = "",
    board: BoardOption = HERE,
    remote: RemoteOption = "origin",
    branch: BranchOption = "main",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a submitter's key, together with the other maintainers."""
    from harness.board.decisions import revoke
    from harness.board.root import named_key

    signing = signing_key(key, passphrase_file)
    clone = repository(board, remote, branch)
    print_accepted(revoke(clone, named_key(stolen), since, reason, signing), as_json)


def keys_change(
    to: Annotated[Path, typer.Option("--to", help="Your new Ed25519 private key.")],
    key: Annotated[Path | None, typer.Option("--key", help="Your present one.")] = None,
    lost: Annotated[
        str | None,
        typer.Option("--lost", help="Id or file of a key that is lost: maintainers must agree."),
    ] = None,
    reason: ReasonOption = "",
    board: BoardOption = HERE,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace your key on a board by another one. Both sign, unless the old one is lost."""
    from harness.board.decisions import member_key
    from harness.board.log import refusing
    from harness.board.root import named_key
    from harness.board.statements import propose, read_clone

    if (key is None) == (lost is None):
        raise UserError("keys change: give one of --key and --lost.")
    signers = [signing_key(path, passphrase_file) for path in (key, to) if path is not None]
    with refusing(board):
        former = signers[0].key_id
        if lost is not None:
            former = member_key(read_clone(board).board, named_key(lost))
    leaf: dict[str, object] = {
        "kind": "keychange",
        "key": former,
        "public_key": signers[-1].public_hex,
        "recovered": lost is not None,
    }
    print_written(propose(board, leaf, signers, reason), "keychange", as_json)
