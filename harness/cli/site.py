"""`mst-bench board build`: makes the site of a board."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.app import App
from harness.cli.printing import JsonOption, echo, print_json
from harness.words import count, duration, say


def register(app: App) -> None:
    """Add the command to the group `board`."""
    app.command("build")(board_build)


def board_build(
    board: Annotated[Path, typer.Argument(help="Clone of the board's repository.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the site; one is replaced.")],
    url: Annotated[
        str | None, typer.Option("--url", help="Where it will be; default: the log's origin.")
    ] = None,
    people: Annotated[
        Path | None, typer.Option("--people", help="Folder of names; default: branch people.")
    ] = None,
    release: Annotated[
        list[Path] | None, typer.Option("--release", help="Statement of a released image.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="Trust file: whose keys sign releases.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a static site of a board: each entry is verified, and drawn anew if it changed.

    The same board gives the same bytes. Exit 4 if anything is wrong with the log.
    """
    from harness.board.audit import STALE
    from harness.board.site import build_site

    built = build_site(board, out, url=url, people=people, releases=release or (), trust=trust)
    age = built.audit.age
    if age is None:
        say("no quorum of witnesses has cosigned this log: the site says so.")
    elif built.audit.stale:
        say(
            f"a quorum of witnesses saw this log {duration(age)} ago, more than"
            f" {STALE // 86_400} days: fetch the board anew, or ask its witnesses."
        )
    if as_json:
        print_json(asdict(built))
        return
    echo(f"site: {built.site}, {count(built.pages, 'file')}, {built.bytes:,} bytes")
    echo(f"largest page: {built.largest}, {built.largest_bytes:,} bytes")
