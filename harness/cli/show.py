"""Commands that show what is there: list, status, report, doctor."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import errors
from harness.cli.keys import TrustOption
from harness.cli.locate import is_plan, plan_folder, plans_under
from harness.cli.plan import OutOption
from harness.cli.printing import (
    JsonOption,
    echo,
    echo_table,
    print_diagnosis,
    print_json,
    print_path,
    print_summary,
    print_verdict,
)
from harness.files import check_can_write
from harness.folder import Folder
from harness.suites import shipped

if TYPE_CHECKING:
    from leaderboard.pages.papers import Form


class Listed(StrEnum):
    """What `list` can list."""

    suites = "suites"
    claims = "claims"
    tasks = "tasks"
    regimes = "regimes"
    triples = "triples"
    blocks = "blocks"
    agents = "agents"
    executors = "executors"
    runs = "runs"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("list")(list_)
    for command in (status, report, doctor):
        app.command()(command)


def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")],
    out: Annotated[Path, typer.Option("--out", help="Of runs: where their plans are.")] = Path(
        "out"
    ),
    as_json: JsonOption = False,
) -> None:
    """What is there, with a line of meaning each; `runs` are those of all plans under OUT."""
    from tabulate import tabulate

    if what is Listed.runs:
        from harness.cli.runs import rows_under

        headers, table = rows_under(out)
    else:
        from harness.cli.listing import rows

        headers, table = rows(what.value)
    if as_json:
        print_json([dict(zip(headers, row, strict=True)) for row in table])
    else:
        echo_table(tabulate(table, headers=headers, disable_numparse=what is Listed.runs))


def status(
    folder: Annotated[
        Path,
        typer.Argument(help="OUT/<plan id>, also cut short, or the entry in it. OUT lists plans."),
    ],
    trust: TrustOption = None,
    as_json: JsonOption = False,
) -> None:
    """The runs of a plan folder, how far unfinished ones are, and the comparison so far.

    An entry is verified first; with --trust, a re-evaluation beside it counts. Exit 3 while some
    have no result.
    """
    from harness.entries.verified import Refused, verified
    from harness.planning.plan import read_plan
    from harness.summary import signed_summary, summary, unfinished

    if folder.is_dir() and not is_plan(folder) and plans_under(folder):
        _list_plans(folder, as_json)
        return

    folder = plan_folder(folder)
    paths = Folder(folder)
    try:
        if paths.entry.exists():
            overview = signed_summary(verified(folder, trust))
        else:
            overview = summary(folder, read_plan(paths.plan))
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None
    cohorts = unfinished(folder)
    if as_json:
        print_json({**asdict(overview), "unfinished": cohorts})
    else:
        print_summary(overview)
        for cohort in cohorts:
            echo(cohort["line"])
    if not overview.complete:
        raise typer.Exit(errors.INCOMPLETE)


def _list_plans(out: Path, as_json: bool) -> None:
    """A row for each plan right below a folder."""
    from tabulate import tabulate

    from harness.summary import plan_row

    rows = [plan_row(folder) for folder in plans_under(out)]
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table = [[row.plan, row.suite, f"{row.finished:,}/{row.runs:,}", row.state] for row in rows]
    headers = ["plan", "suite", "runs with a result", "now"]
    echo_table(tabulate(table, headers=headers, disable_numparse=True))


def report(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>, or the entry in it.")],
    trust: TrustOption = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The page's file. Default: report.html in the folder."),
    ] = None,
    stills: Annotated[
        bool,
        typer.Option("--stills", help="In the page: a policy of each task and regime, moving."),
    ] = False,
    figures: Annotated[
        Path | None,
        typer.Option(help="Instead of the page: a folder for its charts as SVG, PDF and PNG."),
    ] = None,
    latex: Annotated[
        bool, typer.Option("--latex", help="Instead: the table of regimes for a paper (booktabs).")
    ] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Instead: the same table as Markdown.")
    ] = False,
    badge: Annotated[
        Path | None, typer.Option(help="Instead: a badge of what it answers, to this SVG file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw report.html of a plan folder: one offline page. Or what a paper takes from it.

    An entry is verified first; without one, the page shows the figures so far. With --trust, the
    scores are those of a re-evaluation beside the entry.
    """
    from harness.entries.verified import Refused

    form: Form | None = "latex" if latex else "markdown" if markdown else None
    given = {"--to": to, "--figures": figures, "--latex": latex, "--markdown": markdown}
    _check_one(stills, {**given, "--badge": badge})

    folder = plan_folder(folder)
    try:
        if form or figures or badge:
            _for_papers(folder, trust, form, figures, badge, as_json)
        else:
            _page(folder, trust, to, stills, as_json)
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None


def _check_one(stills: bool, given: dict[str, object]) -> None:
    """UserError for options that make different things."""
    asked = [option for option, value in given.items() if value]
    if len(asked) > 1:
        raise errors.UserError(f"{' and '.join(asked)} make different things; give one of them.")
    if stills and asked not in ([], ["--to"]):
        raise errors.UserError(f"--stills are part of the page, and {asked[0]} makes none.")


def _page(folder: Path, trust: Path | None, to: Path | None, stills: bool, as_json: bool) -> None:
    from harness.entries.page import write_report

    check_can_write(to or Folder(folder).report, "" if to else "Give --to FILE.")
    if not stills:
        print_path(write_report(folder, trust=trust, to=to), "report", as_json)
        return

    from harness.entries.stills import strips
    from harness.entries.verified import verified

    # Policies of an entry alone: what nobody signed has no episodes to compare with.
    entry = verified(folder, trust)
    written = write_report(folder, entry.verdict, to=to, strips=strips(entry))
    print_path(written, "report", as_json)


def _for_papers(
    folder: Path,
    trust: Path | None,
    form: Form | None,
    figures: Path | None,
    badge: Path | None,
    as_json: bool,
) -> None:
    """One of them: a table in this form, figures into a folder, or a badge."""
    from harness.entries.page import paper_table, write_badge, write_figures

    if form:
        _print_lines(form, paper_table(folder, form, trust).splitlines(), as_json)
    elif figures:
        check_can_write(figures / "regimes.svg")
        paths = [str(path) for path in write_figures(folder, figures, trust)]
        _print_lines("figures", paths, as_json)
    elif badge:
        check_can_write(badge)
        print_path(write_badge(folder, badge, trust), "badge", as_json)


def _print_lines(name: str, lines: list[str], as_json: bool) -> None:
    """Lines of text, or a document with them under `name`."""
    if as_json:
        print_json({name: lines})
        return
    for line in lines:
        echo(line)


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
