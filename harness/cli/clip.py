"""Commands that show a policy moving: clip."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from harness import errors
from harness.cli.keys import TensorsOption, TrustOption
from harness.cli.locate import entry_file
from harness.cli.printing import JsonOption, echo, print_json, print_verdict
from harness.errors import UserError

SIDES = range(16, 4097, 2)
"""Pixels of a side of a picture; films take even numbers."""


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(clip)


def clip(
    entry: Annotated[Path, typer.Argument(help="OUT/<plan id>, or the entry in it.")],
    run: Annotated[str, typer.Option("--run", help="TASK/REGIME/SEED, as in dog-run/mst/0.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            help="FILE.mp4, FILE.gif, or FILE.png: stills side by side.",
            show_default=False,
        ),
    ],
    episode: Annotated[
        int, typer.Option("--episode", help="Which of the episodes that score the run, from 0.")
    ] = 0,
    size: Annotated[str, typer.Option("--size", help="Pixels, WIDTHxHEIGHT.")] = "480x360",
    camera: Annotated[int, typer.Option("--camera", min=0, help="Of the task's model.")] = 0,
    fps: Annotated[
        int, typer.Option("--fps", min=1, max=120, help="Most frames a second of a film.")
    ] = 30,
    stills: Annotated[int, typer.Option("--stills", min=2, max=64, help="Of a strip.")] = 6,
    trust: TrustOption = None,
    tensors: TensorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a policy of an entry: one of its claimed episodes, played again and drawn.

    The return is compared with the signed one. Exit 7 where no library can draw.
    """
    from harness.entries.clip import Look, in_words
    from harness.entries.clip import clip as shown
    from harness.entries.verified import Refused, accepted, judge

    look = Look(*_sides(size), camera, fps, stills)
    path = entry_file(entry)
    try:
        written = shown(
            accepted(path, judge(path, trust, tensors=tensors)), run, episode, out, look
        )
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None
    if as_json:
        print_json({**asdict(written), "path": str(written.path)})
        return
    for line in in_words(written):
        echo(line)


def _sides(size: str) -> tuple[int, int]:
    """Width and height; UserError for what a film cannot have."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size, re.ASCII)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if width not in SIDES or height not in SIDES:
        last = SIDES[-1]
        raise UserError(
            f"--size {size}: expected two even numbers from {SIDES[0]} to {last}, as 480x360."
        )
    return width, height
