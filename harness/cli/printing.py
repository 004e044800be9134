"""What commands print on stdout for people; `--json` prints the same documents as they are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from tabulate import tabulate

from harness.words import count, duration, gib, one_line
from leaderboard.formats.document import printable

if TYPE_CHECKING:
    from pathlib import Path

    from harness.doctor import Diagnosis
    from harness.planning.finding import Finds
    from harness.planning.plan import Plan
    from harness.summary import ShownRun, Summary
    from leaderboard.verification.checks import Verdict

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def echo(line: str) -> None:
    """One line on stdout. Strangers wrote parts of it: see `one_line`."""
    typer.echo(one_line(line))


def echo_table(table: str) -> None:
    """A table, line by line. What its cells hold must be on one line."""
    for line in table.splitlines():
        echo(line)


def print_json(document: object) -> None:
    """One document on stdout, in ASCII; `##` inside a text is spelled so that no runner of
    continuous integration takes it for a command."""
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False)
    typer.echo(text.replace("##", "#\\u0023"))


def print_path(path: Path, name: str, as_json: bool, **facts: str) -> None:
    """What was written where: a sentence, or a document with the path under `name`."""
    if as_json:
        print_json({name: str(path), **facts})
        return
    more = ", ".join(f"{fact.replace('_', ' ')} {value}" for fact, value in facts.items())
    echo(f"{name}: {path}" + (f", {more}" if more else ""))


def print_summary(summary: Summary) -> None:
    """The comparison of a plan folder, what failed, and why it is unranked."""
    from leaderboard.pages.table import comparison
    from leaderboard.statistics.scores import scored

    echo(f"plan {summary.plan}, suite {summary.suite}: {summary.folder}")
    results = sum(run.status != "missing" for run in summary.runs)
    if results:
        runs = scored(summary.runs, summary.fresh, under_way=summary.entry is None)
        echo_table(comparison(runs, summary.modules))
    if results < len(summary.runs):
        echo(f"{results} of {count(len(summary.runs), 'run')} have a result")
    if summary.level is not None:
        source = "measured anew" if summary.fresh else "as claimed"
        echo(f"scores {source} ({summary.level})")

    # What went wrong on the way
    for run in summary.runs:
        if run.failure:
            echo(f"{run.name}: {run.failure.kind} failure: {run.failure.reason}")
    if summary.faults:
        echo(f"infrastructure faults on the way: {summary.faults}")

    # Where the time went, and where to look next
    if summary.time:
        shares = [f"{activity} {share:.1%}" for activity, share in summary.time.items()]
        echo(f"time: {', '.join(shares)}")
    if summary.report:
        echo(f"report: {summary.report}")
    if not summary.ranked:
        echo(f"unranked: {'; '.join(summary.unranked_because)}")


def _cells(run: ShownRun) -> ShownRun:
    """A run whose names fit into cells of one line each."""
    return replace(run, task=printable(run.task), regime=printable(run.regime))


def sizes_table(plan: Plan) -> str:
    """Parameters and operations of every regime on every task."""
    rows = list[list[str | int]]()
    for group, size in plan.sizes.items():
        giga = [f"{count / 1e9:.2f}" for count in (size.flops, size.active_flops)]
        rows.append([*group.split("/"), size.parameters, size.active, *giga])
    headers = ["task", "regime", "parameters", "active", "GFLOP an agent step", "active"]
    return tabulate(rows, headers=headers, intfmt=",", disable_numparse=[1])


def finds_table(finds: list[Finds]) -> str:
    """What each test of a plan finds with a probability of 80 percent."""
    from harness.planning.finding import in_words
    from leaderboard.statistics.claims import compared

    rows = [[row.test.id, row.test.family, compared(row.test), in_words(row)] for row in finds]
    headers = ["claim", "family", "test", "found with 80 % from"]
    return tabulate(rows, headers=headers, disable_numparse=True)


def print_verdict(verdict: Verdict) -> None:
    """A line for each check."""
    for check in verdict.checks:
        echo(f"{check.name + ':':<14}{check.status:<8} {check.detail}")
    word = f"accepted, {verdict.level}" if verdict.accepted else "REFUSED"
    if verdict.ranked:
        word += ", may be ranked"
    echo(f"{verdict.entry}: {word}")


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """A line for each finding, and a table of suites."""
    for finding in diagnosis.findings:
        echo(f"{finding.name + ':':<24}{finding.status:<6} {finding.detail}")
    echo("")
    echo(f"the image, hardened: {diagnosis.run_line}")

    # What each shipped suite would need, and whether it fits here
    rows = []
    for need in diagnosis.suites:
        memory = gib(need.memory_gib)
        disk = gib(need.disk_gib)
        time = duration(need.hours * 3600.0)
        rows.append([need.suite, need.runs, need.device, memory, disk, time, need.runs_here])
    headers = [
        "suite",
        "runs",
        "device",
        "memory a cohort",
        "disk",
        "time on this CPU",
        "runs here",
    ]
    echo("")
    echo_table(tabulate(rows, headers=headers, disable_numparse=True))
    if any(need.device == "cuda" for need in diagnosis.suites):
        echo("time of a suite for cuda: with --device cpu; on a GPU it is not estimated")
