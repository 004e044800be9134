"""`mst-bench log`: signs, witnesses and audits the log of a public board."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import App
from harness.cli.clone import (
    HERE,
    BoardKeyOption,
    BoardOption,
    BranchOption,
    RemoteOption,
    repository,
)
from harness.cli.keys import PassphraseOption, signing_key
from harness.cli.printing import JsonOption, echo, print_json
from harness.words import count, duration

log_app = App(no_args_is_help=True, help="The log of a public board.")


@log_app.command("sign")
def log_sign(
    key: BoardKeyOption,
    board: BoardOption = HERE,
    remote: RemoteOption = "origin",
    branch: BranchOption = "main",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign the leaves on the main branch, take in cosignatures, and push the checkpoint.

    The log is checked first, against its own rules and what you signed before.
    """
    from harness.board.sign import sign_log

    signing = signing_key(key, passphrase_file)
    signed = sign_log(repository(board, remote, branch), signing)
    if as_json:
        print_json(asdict(signed))
        return
    if signed.commit is None:
        echo(f"{signed.origin}: nothing new, {_leaves(signed.size)} are signed")
        return
    word = "signed now" if signed.new else "signed before"
    taken = count(signed.cosignatures, "cosignature")
    echo(f"{signed.origin}: {_leaves(signed.size)} {word}, {taken} taken in, {signed.commit[:12]}")


@log_app.command("witness")
def log_witness(
    key: BoardKeyOption,
    board: BoardOption = HERE,
    remote: RemoteOption = "origin",
    branch: BranchOption = "main",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the log, cosign its newest checkpoint, and push that as a branch for a pull request.

    It must continue all that this machine saw of it before.
    """
    from harness.board.witness import witness_log

    signing = signing_key(key, passphrase_file)
    witnessed = witness_log(repository(board, remote, branch), signing)
    if as_json:
        print_json(asdict(witnessed))
        return
    if witnessed.branch is None:
        echo(f"{witnessed.origin}: nothing new, you cosigned {_leaves(witnessed.size)}")
        return
    echo(f"{witnessed.origin}: {_leaves(witnessed.size)} cosigned")
    echo(f"open a pull request from the branch {witnessed.branch}")


@log_app.command("audit")
def log_audit(
    board: BoardOption = HERE,
    other: Annotated[
        Path | None, typer.Option("--with", help="Another copy of the board, to compare.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a copy of the log, offline: leaves, rules, signatures, and what you saw before.

    Exit 4 if anything is wrong; both notes of a log with two histories are kept.
    """
    from harness.board.audit import audit_log

    audit = audit_log(board, other)
    if as_json:
        print_json(asdict(audit) | {"stale": audit.stale})
        return
    echo(f"{audit.origin}: {_leaves(audit.leaves)}, all allowed; {audit.signed} signed")
    if audit.age is None:
        echo("witnesses: no quorum has cosigned a checkpoint")
    else:
        old = ": old, fetch the board anew" if audit.stale else ""
        echo(f"witnesses: {_leaves(audit.witnessed)}, {duration(audit.age)} ago{old}")
    if audit.remembered is None:
        echo("remembered: nothing before; from now on, this copy")
    else:
        echo(f"remembered: continues the {_leaves(audit.remembered)} seen before")
    if audit.compared is not None:
        echo(f"compared: agrees with {audit.compared}")


def _leaves(number: int) -> str:
    return count(number, "leaf", "leaves")
