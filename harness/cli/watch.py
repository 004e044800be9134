"""`mst-bench watch`: the runs of a plan folder as they learn, from any terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.locate import plan_folder

REFRESH = 2.0
"""Seconds between two looks."""
UNBOUND = 160
"""Columns where no terminal is."""


def watch(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>, also cut short.")],
    once: Annotated[bool, typer.Option("--once", help="Print it once, and end.")] = False,
) -> None:
    """Every run of a plan as it learns: returns, rate, time left, signs of failure.

    It reads the files of the folder and changes nothing. Ctrl-C ends it, and no training. Where no
    terminal is, it prints once.
    """
    from rich.console import Console
    from rich.live import Live

    from harness.cli.screen import Screen

    console = Console(highlight=False)
    screen = Screen(plan_folder(folder))
    if not console.is_terminal:
        console.width = UNBOUND
    if once or not console.is_terminal:
        console.print(screen.draw())
        return
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                live.update(screen.draw(console.height), refresh=True)
                time.sleep(REFRESH)
    except KeyboardInterrupt:
        console.print(screen.draw(console.height))


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(watch)
