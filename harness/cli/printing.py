"""What commands print on stdout for people; `--json` prints the same documents as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from tabulate import tabulate

if TYPE_CHECKING:
    from harness.doctor import Diagnosis
    from harness.planning.plan import Plan
    from harness.run import Summary
    from leaderboard.verification.checks import Verdict

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def print_json(document: object) -> None:
    """One document on stdout."""
    typer.echo(json.dumps(document, indent=2, sort_keys=True, allow_nan=False))


def print_summary(summary: Summary) -> None:
    """The comparison of a plan folder, what failed, and why it is unranked."""
    from leaderboard.pages.table import comparison
    from leaderboard.statistics.scores import scored

    typer.echo(f"plan {summary.plan}, suite {summary.suite}: {summary.folder}")
    runs = scored(summary.runs, under_way=summary.entry is None)
    typer.echo(comparison(runs, summary.modules))

    # What went wrong on the way
    for run in summary.runs:
        if run.failure:
            typer.echo(f"{run.name}: {run.failure.kind} failure: {run.failure.reason}")
    if summary.faults:
        typer.echo(f"infrastructure faults on the way: {summary.faults}")

    # Where the time went, and where to look next
    if summary.time:
        shares = [f"{activity} {share:.1%}" for activity, share in summary.time.items()]
        typer.echo(f"time: {', '.join(shares)}")
    if summary.report:
        typer.echo(f"report: {summary.report}")
    if not summary.ranked:
        typer.echo(f"unranked: {'; '.join(summary.unranked_because)}")


def sizes_table(plan: Plan) -> str:
    """Parameters and operations of every regime on every task."""
    rows = list[list[str | int]]()
    for group, size in plan.sizes.items():
        giga = [f"{count / 1e9:.2f}" for count in (size.flops, size.active_flops)]
        rows.append([*group.split("/"), size.parameters, size.active, *giga])
    headers = ["task", "regime", "parameters", "active", "GFLOP an agent step", "active"]
    return tabulate(rows, headers=headers, intfmt=",", disable_numparse=[1])


def print_verdict(verdict: Verdict) -> None:
    """A line for each check."""
    for check in verdict.checks:
        typer.echo(f"{check.name + ':':<12}{check.status:<8} {check.detail}")
    word = f"accepted, {verdict.level}" if verdict.accepted else "REFUSED"
    typer.echo(f"{verdict.entry}: {word}")


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """A line for each finding, and a table of suites."""
    for finding in diagnosis.findings:
        typer.echo(f"{finding.name + ':':<24}{finding.status:<6} {finding.detail}")
    typer.echo(f"\nthe image, hardened: {diagnosis.run_line}")

    # What each shipped suite would need, and whether it fits here
    rows = []
    for need in diagnosis.suites:
        memory = f"{need.memory_gib:.1f}"
        disk = f"{need.disk_gib:.2f}"
        hours = f"{need.hours:.2f}"
        rows.append([need.suite, need.runs, need.device, memory, disk, hours, need.runs_here])
    headers = [
        "suite",
        "runs",
        "device",
        "GiB a cohort",
        "GiB of disk",
        "hours on this CPU",
        "runs here",
    ]
    typer.echo("\n" + tabulate(rows, headers=headers, disable_numparse=True))
