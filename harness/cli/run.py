"""Commands that carry plans out: run, run-cohort, and seal, which executors call."""

from __future__ import annotations

import re
import signal
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import errors
from harness.cli.keys import KeyOption, PassphraseOption, signing_key
from harness.cli.locate import plan_folder
from harness.cli.options import CommandOptions, with_cohort_options, with_options
from harness.cli.plan import MembersOption, OutOption, ScaleOption, SetOption, suites_begun
from harness.cli.printing import JsonOption, echo_table, print_json, print_summary, print_verdict
from harness.errors import UserError
from harness.words import say

if TYPE_CHECKING:
    from harness.run import CarriedOut
    from leaderboard.verification.checks import Verdict

SuiteOption = Annotated[
    str | None,
    typer.Option(
        "--suite",
        help="A shipped suite's name, or the path of a suite file. Default: quick.",
        autocompletion=suites_begun,
    ),
]
PlanFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--plan", help="OUT/<plan id>: carry out the plan in there, as it is, in its folder."
    ),
]
LogOption = Annotated[
    str | None,
    typer.Option("--log", help="Curves while it learns: tensorboard, wandb or mlflow."),
]
PlanOption = Annotated[Path, typer.Option("--plan", help="plan.json in its folder.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(with_options(run))
    app.command("run-cohort")(with_cohort_options(run_cohort))
    app.command(hidden=True)(seal)


def run(
    *,
    suite: SuiteOption = None,
    plan: PlanFolderOption = None,
    out: OutOption = Path("out"),
    overrides: SetOption = [],  # noqa: B006 - typer wants a plain default
    budget_scale: ScaleOption = 1.0,
    executor: Annotated[str, typer.Option("--executor", help="See `list executors`.")] = "local",
    members: MembersOption = None,
    options: CommandOptions,
    log: LogOption = None,
    key: KeyOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry a suite out: plan, train, sign, verify, compare.

    The same command again does what is missing.
    """
    from harness.planning.request import Request
    from harness.run import execute, execute_plan, preview

    if plan is not None and (suite is not None or overrides or budget_scale != 1.0):
        raise UserError("--plan: is carried out as it is; leave out --suite, --set, --budget-scale")
    request = Request(
        suite or "quick",
        out,
        tuple(overrides),
        budget_scale,
        executor,
        members,
        options.general,
        options.own,
        log,
    )
    if options.own.get("dry_run"):
        echo_table(preview(request, plan and plan_folder(plan)))
        return
    signing = signing_key(key, passphrase_file)
    if plan is None:
        carried_out = execute(request, signing)
    else:
        carried_out = execute_plan(plan_folder(plan), request, signing)
    _print_outcome(carried_out, as_json)
    if not carried_out.verdict.accepted:
        say(_mend(carried_out.verdict))
        raise typer.Exit(errors.UNVERIFIED)


def _print_outcome(carried_out: CarriedOut, as_json: bool) -> None:
    verdict = carried_out.verdict
    if as_json:
        print_json({**asdict(carried_out.summary), "accepted": verdict.accepted})
    else:
        print_summary(carried_out.summary)
        print_verdict(verdict)


def _mend(verdict: Verdict) -> str:
    """What to do about an entry that does not verify right after a run: something was edited."""
    entry = Path(verdict.entry)
    detail = next((check.detail for check in verdict.checks if check.status == "failed"), "")
    run_folder = re.match(r"(runs/[^/\s]+/[^/\s]+/[^/\s]+)/", detail)
    if run_folder:
        folder = entry.parent / run_folder[1]
        return f"Put back what was changed, or remove {folder}: the same command trains it again."
    return f"Put back what was changed, or remove {entry}: the same command signs it anew."


def run_cohort(
    *,
    plan_file: PlanOption,
    index: Annotated[int, typer.Option("--index", min=0, help="Which cohort of cohorts.json.")],
    members: MembersOption = None,
    options: CommandOptions,
) -> None:
    """Carry out one cohort, or resume it: the idempotent unit that every executor calls."""
    from harness.executors.child import stop_with_parent
    from harness.machine.device import choose_device
    from harness.machine.image import check_sample
    from harness.planning.cohorts import frozen_cohorts
    from harness.planning.plan import read_plan
    from harness.training import unit
    from harness.training.agreed import agreed

    stop_with_parent()
    # Slurm warns every process of a job so; the one that heeds it passes SIGTERM on.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    folder = plan_file.parent
    cohort_plan = read_plan(plan_file)

    # Inside the attempt, so that its ending names whatever goes wrong from here on.
    with unit.attempt(folder, index, options.general) as held:
        check_sample()
        device = choose_device(options.general.device, "any", cohort_plan.suite.name)
        device_class = device.partition(":")[0]
        freeze = partial(frozen_cohorts, folder, cohort_plan, device_class, members)
        cohorts = agreed(folder, freeze).cohorts
        if index >= len(cohorts):
            raise UserError(f"--index {index}: the plan has cohorts 0 to {len(cohorts) - 1}.")
        chosen = replace(options.general, device=device)
        unit.train(folder, cohort_plan, cohorts[index], chosen, held)


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
