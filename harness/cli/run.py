"""Commands that carry plans out: run, plan, run-cohort, and seal, which executors call."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import errors
from harness.cli.keys import KeyOption, PassphraseOption, signing_key
from harness.cli.options import CommandOptions, with_cohort_options, with_options
from harness.cli.printing import (
    JsonOption,
    echo,
    echo_table,
    finds_table,
    print_json,
    print_summary,
    print_verdict,
    sizes_table,
)
from harness.errors import UserError
from harness.folder import Folder
from harness.words import count, duration, gib, say

if TYPE_CHECKING:
    from harness.planning.cohorts import Cohorts
    from harness.planning.estimate import Estimate
    from harness.planning.plan import Plan
    from leaderboard.verification.checks import Verdict

SuiteOption = Annotated[
    str, typer.Option("--suite", help="A shipped suite's name, or the path of a suite file.")
]
OutOption = Annotated[Path, typer.Option("--out", help="Where results go: OUT/<plan id>/.")]
SetOption = Annotated[
    list[str],
    typer.Option(
        "--set", help="Override a suite's key, as evaluation.episodes=5; once a key. Unranked."
    ),
]
ScaleOption = Annotated[
    float, typer.Option("--budget-scale", min=1e-6, max=1.0, help="Share of the budget. Unranked.")
]
MembersOption = Annotated[
    int | None,
    typer.Option("--members", min=1, help="Members of a cohort. Default: by device class."),
]
PlanOption = Annotated[Path, typer.Option("--plan", help="plan.json in its folder.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(with_options(run))
    app.command()(plan)
    app.command("run-cohort")(with_cohort_options(run_cohort))
    app.command(hidden=True)(seal)


def run(
    *,
    suite: SuiteOption = "quick",
    out: OutOption = Path("out"),
    overrides: SetOption = [],  # noqa: B006 - typer wants a plain default
    budget_scale: ScaleOption = 1.0,
    executor: Annotated[str, typer.Option("--executor", help="See `list executors`.")] = "local",
    members: MembersOption = None,
    options: CommandOptions,
    key: KeyOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry a suite out: plan, train, sign, verify, compare.

    The same command again does what is missing.
    """
    from harness.run import Request, execute

    request = Request(
        suite,
        out,
        tuple(overrides),
        budget_scale,
        executor,
        members,
        options.general,
        options.own,
    )
    carried_out = execute(request, signing_key(key, passphrase_file))
    verdict = carried_out.verdict
    if as_json:
        print_json({**asdict(carried_out.summary), "accepted": verdict.accepted})
    else:
        print_summary(carried_out.summary)
        print_verdict(verdict)
    if not verdict.accepted:
        say(_mend(verdict))
        raise typer.Exit(errors.UNVERIFIED)


def _mend(verdict: Verdict) -> str:
    """What to do about an entry that does not verify right after a run: something was edited."""
    entry = Path(verdict.entry)
    detail = next((check.detail for check in verdict.checks if check.status == "failed"), "")
    run_folder = re.match(r"(runs/[^/\s]+/[^/\s]+/[^/\s]+)/", detail)
    if run_folder:
        folder = entry.parent / run_folder[1]
        return f"Put back what was changed, or remove {folder}: the same command trains it again."
    return f"Put back what was changed, or remove {entry}: the same command signs it anew."


def plan(
    suite: SuiteOption = "quick",
    out: OutOption = Path("out"),
    overrides: SetOption = [],  # noqa: B006
    budget_scale: ScaleOption = 1.0,
    device: Annotated[
        str, typer.Option("--device", help="Device class to plan for: cpu or cuda.")
    ] = "cpu",
    members: MembersOption = None,
    spreads: Annotated[
        Path | None,
        typer.Option(
            "--spreads",
            help="YAML: figure -> task -> [mean, sd over seeds]. Default: published ones.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the plan of a suite and say what it takes and what it can find; nothing is run."""
    from harness.planning import finding
    from harness.planning.cohorts import partition
    from harness.planning.estimate import estimate
    from harness.planning.plan import write_plan
    from harness.planning.sizing import GAINS
    from harness.run import Request, plan_of

    if device not in GAINS:
        raise UserError(
            f"--device {device}: unknown device class.{errors.suggestion(device, GAINS)}"
        )

    given = finding.read_spreads(spreads) if spreads else None
    suite_read, suite_plan = plan_of(Request(suite, out, tuple(overrides), budget_scale))
    folder = write_plan(suite_plan, out)
    cohorts = partition(suite_plan, device, members)
    needs = estimate(suite_plan, cohorts.cohorts)
    finds = finding.finds(suite_plan, given)
    if as_json:
        document = _plan_document(suite_plan, folder, cohorts, needs)
        print_json({**document, "finds": [asdict(row) for row in finds]})
    else:
        _print_plan(suite_plan, folder, cohorts, needs, suite_read.device)
        if finds:
            echo_table(finds_table(finds))


def _plan_document(
    plan: Plan, folder: Path, cohorts: Cohorts, needs: Estimate
) -> dict[str, object]:
    return {
        "plan": plan.id,
        "folder": str(folder),
        "runs": len(plan.runs),
        "cohorts": len(cohorts.cohorts),
        "memory_gib": needs.memory_gib,
        "disk_gib": needs.disk_gib,
        "cpu_core_hours": needs.core_hours,
        "sizes": plan.document()["sizes"],
    }


def _print_plan(plan: Plan, folder: Path, cohorts: Cohorts, needs: Estimate, need: str) -> None:
    # How many runs, and in how large cohorts.
    sizes = [len(cohort.runs) for cohort in cohorts.cohorts]
    span = count(max(sizes), "member")
    if min(sizes) < max(sizes):
        span = f"{min(sizes)} to {span}"
    total = f"{count(len(plan.runs), 'run')} in {count(len(sizes), 'cohort')} of {span}"
    echo(f"plan {plan.id}: {total}, written to {Folder(folder).plan}")

    # What each run does.
    budget = plan.budget
    steps = f"{budget.environment_steps:,} environment steps = {budget.agent_steps:,} agent steps"
    updates = ", ".join(f"{updates:,} {module}" for module, updates in budget.updates.items())
    echo(f"each run: {steps}; updates: {updates}")
    echo_table(sizes_table(plan))

    # What the machine must have.
    hours = duration(needs.core_hours * 3600.0)
    echo(
        f"needs about {gib(needs.memory_gib)} of memory a cohort, {gib(needs.disk_gib)} of disk,"
        f" and {hours} of one CPU core in all (estimate, good to a factor of two)"
    )
    if need == "cuda":
        echo("the suite is made for a GPU, where time is not estimated: docs/gpu.md")


def run_cohort(
    *,
    plan_file: PlanOption,
    index: Annotated[int, typer.Option("--index", min=0, help="Which cohort of cohorts.json.")],
    members: MembersOption = None,
    options: CommandOptions,
) -> None:
    """Carry out one cohort, or resume it: the idempotent unit that every executor calls."""
    from harness.executors.local import stop_with_parent
    from harness.machine.device import choose_device
    from harness.machine.image import check_sample
    from harness.planning.cohorts import frozen_cohorts
    from harness.planning.plan import read_plan
    from harness.training import unit

    stop_with_parent()
    folder = plan_file.parent
    cohort_plan = read_plan(plan_file)

    # Inside the attempt, so that its ending names whatever goes wrong from here on.
    with unit.attempt(folder, index):
        check_sample()
        device = choose_device(options.general.device, "any", cohort_plan.suite.name)
        cohorts = frozen_cohorts(folder, cohort_plan, device.partition(":")[0], members).cohorts
        if index >= len(cohorts):
            raise UserError(f"--index {index}: the plan has cohorts 0 to {len(cohorts) - 1}.")
        unit.train(folder, cohort_plan, cohorts[index], replace(options.general, device=device))


def seal(
    plan_file: PlanOption,
    started: Annotated[
        float, typer.Option("--started", help="When the work began, in seconds since 1970.")
    ],
    command: Annotated[str, typer.Option("--command", help="The command that someone typed.")],
) -> None:
    """Write manifest.json: what carried the plan out. Executors call it where the cohorts ran."""
    from harness.entries.manifest import write_manifest
    from harness.planning.plan import read_plan

    write_manifest(plan_file.parent, read_plan(plan_file), started, command)
