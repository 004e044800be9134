"""Commands that take results elsewhere: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import errors
from harness.cli.keys import TrustOption
from harness.cli.locate import plan_folder
from harness.cli.printing import JsonOption, echo, print_json, print_verdict
from harness.words import count, say


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(export)


def export(
    folders: Annotated[
        list[Path], typer.Argument(help="Plan folders, or entries, finished or not.")
    ],
    to: Annotated[
        str,
        typer.Option("--to", help="FILE.csv, FILE.parquet, tensorboard, wandb or mlflow."),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", help="Of a tracker: where its folder is written."),
    ] = Path(),
    trust: TrustOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every number that was measured as one table, or into a tracker's store, offline.

    An entry is verified first, and its signed bytes are read. A plan without one gives what is
    there so far, marked as not verified.
    """
    from harness.entries.verified import Refused
    from harness.exports.export import export as write
    from harness.exports.export import source

    try:
        plans = [source(folder, trust) for folder in dict.fromkeys(map(plan_folder, folders))]
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None
    for plan in plans:
        if not plan.verified:
            say(f"plan {plan.plan} has no entry yet: its numbers are not verified")
    written = write(plans, to, out)
    if as_json:
        counts = {"numbers": written.numbers, "runs": written.runs}
        print_json({"export": str(written.path), **counts})
        return
    numbers = f"{count(written.numbers, 'number')} of {count(written.runs, 'run')}"
    echo(f"export: {written.path}, {numbers}")
