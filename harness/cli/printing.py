"""What commands print on stdout for people; `--json` prints the same documents as they are."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from tabulate import tabulate

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def print_json(document: Any) -> None:
    """One document."""
    typer.echo(json.dumps(document, indent=2, sort_keys=True, allow_nan=False))


def print_summary(document: dict[str, Any]) -> None:
    """The comparison of a plan folder, what failed, and why it is unranked."""
    from leaderboard.pages.table import comparison

    typer.echo(f"plan {document['plan']}, suite {document['suite']}: {document['folder']}")
    typer.echo(comparison(document["runs"]))
    for run in document["runs"]:
        if run["failure"]:
            typer.echo(
                f"{run['task']}/{run['regime']}/{run['seed']}: {run['failure']['kind']} failure: {run['failure']['reason']}"
            )
    if document["faults"]:
        typer.echo(f"infrastructure faults on the way: {document['faults']}")
    if document["time"]:
        typer.echo(
            "time: " + ", ".join(f"{kind} {share:.1%}" for kind, share in document["time"].items())
        )
    if document["report"]:
        typer.echo(f"report: {document['report']}")
    if not document["ranked"]:
        typer.echo(f"unranked: {'; '.join(document['unranked_because'])}")


def sizes_table(plan: Any) -> str:
    """Parameters and operations of every regime on every task."""
    rows = [
        [
            *kind.split("/"),
            s.parameters,
            s.active,
            f"{s.flops / 1e9:.2f}",
            f"{s.active_flops / 1e9:.2f}",
        ]
        for kind, s in plan.sizes.items()
    ]
    headers = ["task", "regime", "parameters", "active", "GFLOP an agent step", "active"]
    return tabulate(rows, headers=headers, intfmt=",", disable_numparse=[1])


def print_verdict(verdict: Any) -> None:
    """A line for each check."""
    for check in verdict.checks:
        typer.echo(f"{check.name + ':':<12}{check.status:<8} {check.detail}")
    typer.echo(
        f"{verdict.entry}: {f'accepted, {verdict.level}' if verdict.accepted else 'REFUSED'}"
    )


def print_diagnosis(diagnosis: Any) -> None:
    """A line for each finding, and a table of suites."""
    for finding in diagnosis.findings:
        typer.echo(f"{finding.name + ':':<24}{finding.status:<6} {finding.detail}")
    rows = [
        [
            s.suite,
            s.runs,
            s.device,
            f"{s.memory_gib:.1f}",
            f"{s.disk_gib:.2f}",
            f"{s.hours:.2f}",
            s.runs_here,
        ]
        for s in diagnosis.suites
    ]
    typer.echo(f"\nthe image, hardened: {diagnosis.run_line}")
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
