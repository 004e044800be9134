"""Commands that show what is there: list, status, report, doctor."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness import errors
from harness.cli.keys import TrustOption
from harness.cli.printing import (
    JsonOption,
    print_diagnosis,
    print_json,
    print_summary,
    print_verdict,
)
from harness.cli.run import OutOption
from harness.folder import Folder
from harness.suites import shipped


class Listed(StrEnum):
    """What `list` can list."""

    suites = "suites"
    tasks = "tasks"
    regimes = "regimes"
    triples = "triples"
    blocks = "blocks"
    agents = "agents"
    executors = "executors"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("list")(list_)
    for command in (status, report, doctor):
        app.command()(command)


def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")], as_json: JsonOption = False
) -> None:
    """What is there, with a line of meaning each."""
    from tabulate import tabulate

    from harness.cli.listing import rows

    headers, table = rows(what.value)
    if as_json:
        print_json([dict(zip(headers, row, strict=True)) for row in table])
    else:
        typer.echo(tabulate(table, headers=headers))


def status(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>.")], as_json: JsonOption = False
) -> None:
    """The runs of a plan folder, how far unfinished ones are, and the comparison so far.

    Exit 3 while some have no result.
    """
    from harness.planning.plan import read_plan
    from harness.run import summary, unfinished

    overview = summary(folder, read_plan(Folder(folder).plan))
    cohorts = unfinished(folder)
    if as_json:
        print_json({**asdict(overview), "unfinished": cohorts})
    else:
        print_summary(overview)
        for cohort in cohorts:
            typer.echo(cohort["line"])
    if not overview.complete:
        raise typer.Exit(errors.INCOMPLETE)


def report(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>, or the folder of an entry.")],
    trust: TrustOption = None,
) -> None:
    """Draw report.html of a plan folder: one offline page.

    An entry is verified first; without one, the page shows the figures so far. With --trust, the
    scores are those of a re-evaluation beside the entry.
    """
    from harness.entries.page import write_report
    from harness.entries.verified import Refused

    try:
        typer.echo(write_report(folder, trust=trust))
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None


def doctor(
    names: Annotated[
        list[str] | None, typer.Argument(help="Suites to look at. Default: all that are shipped.")
    ] = None,
    out: OutOption = Path("out"),
    full: Annotated[
        bool, typer.Option("--full", help="In the image: look at every file of it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """What this machine can run, how fast, and what each suite takes.

    Libraries and simulation are compared to the bit. Exit 7 if they deviate.
    """
    from harness.doctor import diagnose

    diagnosis = diagnose(out, names or list(shipped()), full)
    if as_json:
        print_json(diagnosis.document())
    else:
        print_diagnosis(diagnosis)
    if not diagnosis.conforms:
        raise typer.Exit(errors.NONCONFORMING)
