"""`mst-bench board`: sets a board up, checks pull requests, and says what maintainers decide."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness import errors
from harness.cli import site
from harness.cli.app import App
from harness.cli.clone import (
    HERE,
    BoardKeyOption,
    BoardOption,
    BranchOption,
    ReasonOption,
    RemoteOption,
    print_accepted,
    repository,
)
from harness.cli.keys import PassphraseOption, signing_key
from harness.cli.printing import JsonOption, echo, print_json
from harness.errors import UserError

board_app = App(no_args_is_help=True, help="A public board.")
site.register(board_app)

AddOption = Annotated[
    list[str],
    typer.Option(
        "--add",
        help="[ROLE:][NAME=]KEY. ROLE: root, maintainers, log, witnesses, reevaluators or runners;"
        " without it root and maintainers. KEY: 64 digits, or a file of `keys show`.",
    ),
]
ThresholdOption = Annotated[
    int | None, typer.Option("--threshold", min=1, help="Of root and maintainers.")
]
QuorumOption = Annotated[int | None, typer.Option("--quorum", min=1, help="Of witnesses.")]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", help="Last day of the root, as 2030-01-31.")
]

DELAY = typer.Option("--delay", min=0, help="Seconds from a registration to its beacon round.")
DEADLINE = typer.Option("--deadline", min=1, help="Seconds from a registration to its end.")


def thresholds(threshold: int | None, quorum: int | None) -> dict[str, int]:
    """Role -> how many of its keys must say a thing, where a command says so."""
    given = {"root": threshold, "maintainers": threshold, "witnesses": quorum}
    return {role: number for role, number in given.items() if number is not None}


@board_app.command("init")
def board_init(
    folder: Annotated[Path, typer.Argument(help="Clone of the board's repository.")],
    origin: Annotated[str, typer.Option("--origin", help="Name of its log, as example.org/board.")],
    add: AddOption,
    threshold: ThresholdOption = None,
    quorum: QuorumOption = None,
    expires: ExpiresOption = None,
    delay: Annotated[int, DELAY] = 3600,
    deadline: Annotated[int, DEADLINE] = 90 * 86_400,
    beacon: Annotated[
        Path | None, typer.Option("--beacon", help="JSON file of a chain. Default: drand quicknet.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write version 1 of the trust root, for its holders to accept.

    Once enough of them have accepted it, it is the first leaf.
    """
    from harness.board import root

    content = root.first_root(
        origin,
        [root.given_key(text) for text in add],
        thresholds(threshold, quorum),
        expires=root.expiry(expires),
        delay=delay,
        deadline=deadline,
        beacon=root.chain(beacon),
    )
    path = root.write_first_root(folder, content)
    if as_json:
        print_json({"root": str(path)})
        return
    echo(f"trust root: {path}")
    echo("push it; then each holder gives `mst-bench accept` with their key")


@board_app.command("check")
def board_check(
    base: Annotated[
        str, typer.Option("--base", help="The main branch, as git knows it here.")
    ] = "origin/main",
    board: BoardOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Check what HEAD adds to the main branch; nothing is written. Exit 4 if a check fails."""
    from harness.board.check import check_pull_request
    from harness.board.git import Repository

    checks = []
    for check in check_pull_request(Repository(board), base):
        checks.append(check)
        if not as_json:
            echo(f"{check.name + ':':<14}{check.status:<8} {check.detail}")
    if as_json:
        print_json([asdict(check) for check in checks])
    if any(check.status == "failed" for check in checks):
        raise typer.Exit(errors.UNVERIFIED)


@board_app.command("suite")
def board_suite(
    suite: Annotated[str, typer.Argument(help="Name of a suite.")],
    key: BoardKeyOption,
    version: Annotated[
        int | None,
        typer.Option("--suite-version", min=1, help="Default: the newest that is shipped."),
    ] = None,
    opens: Annotated[bool, typer.Option("--open", help="Open it for registrations.")] = False,
    retire: Annotated[bool, typer.Option("--retire", help="Nothing registers any more.")] = False,
    successor: Annotated[
        int | None, typer.Option("--successor", min=1, help="The version that replaces it.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="plan.json of a suite that is not shipped.")
    ] = None,
    board: BoardOption = HERE,
    remote: RemoteOption = "origin",
    branch: BranchOption = "main",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open or retire a version of a suite, together with the other maintainers."""
    from harness.board.decisions import newest_version, open_suite, retire_suite

    if opens == retire:
        raise UserError("board suite: give one of --open and --retire.")
    signing = signing_key(key, passphrase_file)
    clone = repository(board, remote, branch)
    version = version or newest_version(suite)
    if opens:
        accepted = open_suite(clone, suite, version, plan, signing)
    else:
        accepted = retire_suite(clone, suite, version, successor, signing)
    print_accepted(accepted, as_json)


@board_app.command("retract")
def board_retract(
    target: Annotated[int, typer.Argument(help="Leaf of an entry or a registration.")],
    key: BoardKeyOption,
    reason: ReasonOption,
    board: BoardOption = HERE,
    remote: RemoteOption = "origin",
    branch: BranchOption = "main",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an entry off the ranking, together with the other maintainers. Its page stays."""
    from harness.board.decisions import retract

    signing = signing_key(key, passphrase_file)
    clone = repository(board, remote, branch)
    print_accepted(retract(clone, target, reason, signing), as_json)


@board_app.command("forget")
def board_forget(
    key: Annotated[str, typer.Argument(help="Id of the submitter's key, its beginning, or file.")],
    board: BoardOption = HERE,
    remote: RemoteOption = "origin",
    as_json: JsonOption = False,
) -> None:
    """Take a submitter's name off the branch of names, and out of its history."""
    from harness.board.people import forget_name
    from harness.board.root import named_key

    forgotten = forget_name(repository(board, remote, "main"), named_key(key))
    print_json({"key": forgotten}) if as_json else echo(f"forgotten: the name of key {forgotten}")
