"""What commands share that work on a clone of a board: options, and what is printed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.printing import echo, print_json

if TYPE_CHECKING:
    from harness.board.accept import Accepted
    from harness.board.git import Repository

BoardOption = Annotated[Path, typer.Option("--board", help="Clone of the board's repository.")]
BoardKeyOption = Annotated[Path, typer.Option("--key", help="Ed25519 private key.")]
RemoteOption = Annotated[str, typer.Option("--remote", help="Git remote of the board.")]
BranchOption = Annotated[str, typer.Option("--branch", help="Its main branch.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in one line; it is logged.")]
HERE = Path()


def repository(board: Path, remote: str, branch: str) -> Repository:
    """A clone of a board, and where it is pushed to."""
    from harness.board.git import Repository

    return Repository(board, remote, branch)


def print_accepted(accepted: Accepted, as_json: bool) -> None:
    """Whether it was logged, or whose signatures are missing."""
    if as_json:
        print_json(asdict(accepted))
    elif accepted.index is not None:
        echo(f"leaf {accepted.index}: {accepted.kind}")
    else:
        echo(f"{accepted.kind}: signed; {accepted.missing}")
        echo(f"it waits on the main branch: inbox/{accepted.kind}-{accepted.statement[:16]}-*")
        echo("whoever signs next gives the same command, or `mst-bench accept` with that file")


def print_written(paths: list[Path], what: str, as_json: bool) -> None:
    """What was written for a pull request."""
    if as_json:
        print_json({"written": [str(path) for path in paths]})
        return
    for path in paths:
        echo(f"{what}: {path}")
    echo("commit it on a branch of its own and open a pull request")
