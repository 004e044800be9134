"""`mst-bench plan`: writes a plan, or registers one with a board and claims its seeds."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import errors
from harness.cli import registration
from harness.cli.keys import PassphraseOption, signing_key
from harness.cli.printing import (
    JsonOption,
    echo,
    echo_table,
    finds_table,
    print_json,
    sizes_table,
)
from harness.errors import UserError
from harness.folder import Folder
from harness.suites import shipped
from harness.words import count, duration, gib

if TYPE_CHECKING:
    from harness.planning.cohorts import Cohorts
    from harness.planning.estimate import Estimate
    from harness.planning.plan import Plan
    from harness.planning.request import Request


def suites_begun(incomplete: str) -> list[str]:
    """Shipped suites whose name begins so, for a shell that completes it."""
    return [name for name in shipped() if name.startswith(incomplete)]


SuiteOption = Annotated[
    str,
    typer.Option(
        "--suite",
        help="A shipped suite's name, or the path of a suite file.",
        autocompletion=suites_begun,
    ),
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
FleetOption = Annotated[
    str | None,
    typer.Option("--fleet", help="GPUs to fit the cohorts to, as 8xh200; fixes them."),
]


PANEL = "Registration in the log of a board"
DeviceOption = Annotated[
    str, typer.Option("--device", help="Device class to plan for: cpu or cuda.")
]
SpreadsOption = Annotated[
    Path | None,
    typer.Option(
        "--spreads",
        help="YAML: figure -> task -> [mean, sd over seeds]. Default: published ones.",
    ),
]
RegisterOption = Annotated[
    bool,
    typer.Option(
        "--register", help="Sign the plan for a board before it has seeds.", rich_help_panel=PANEL
    ),
]
BlindOption = Annotated[
    bool,
    typer.Option("--blind", help="With --register: the plan is told later.", rich_help_panel=PANEL),
]
ClaimOption = Annotated[
    int | None,
    typer.Option(
        "--claim", min=0, help="Leaf of a registration: write its plan.", rich_help_panel=PANEL
    ),
]
RevealOption = Annotated[
    int | None,
    typer.Option(
        "--reveal", min=0, help="Leaf of a blinded one: sign what it is.", rich_help_panel=PANEL
    ),
]
BoardOption = Annotated[
    Path,
    typer.Option("--board", help="Clone of the board's repository.", rich_help_panel=PANEL),
]
RegisteredKeyOption = Annotated[
    Path | None,
    typer.Option("--key", help="Ed25519 key that the board admitted.", rich_help_panel=PANEL),
]
ReleaseOption = Annotated[
    Path | None,
    typer.Option(
        "--release",
        help="Release statement of the image that will run it. Default: the image this runs in.",
        rich_help_panel=PANEL,
    ),
]
BeaconOption = Annotated[
    Path | None,
    typer.Option(
        "--beacon", help="File of the beacon's round. Default: fetched.", rich_help_panel=PANEL
    ),
]
HERE = Path()


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(plan)


def plan(
    suite: SuiteOption = "quick",
    out: OutOption = Path("out"),
    overrides: SetOption = [],  # noqa: B006 - typer wants a plain default
    budget_scale: ScaleOption = 1.0,
    device: DeviceOption = "cpu",
    members: MembersOption = None,
    fleet: FleetOption = None,
    spreads: SpreadsOption = None,
    register: RegisterOption = False,
    blind: BlindOption = False,
    claim: ClaimOption = None,
    reveal: RevealOption = None,
    board: BoardOption = HERE,
    key: RegisteredKeyOption = None,
    passphrase_file: PassphraseOption = None,
    release: ReleaseOption = None,
    beacon: BeaconOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the plan of a suite and say what it takes and what it can find; nothing is run.

    --register, --claim and --reveal take it to a board and back with its seeds.
    """
    from harness.planning.request import Request

    registration.check_modes(register, claim, reveal, key)
    registration.check_only("--blind", blind, "--register", register)
    registration.check_only("--release", release, "--register", register)
    registration.check_only("--beacon", beacon, "--claim", claim is not None)
    signing = None if key is None else signing_key(key, passphrase_file)

    # One of four: to the board, back from it, told to it, or only written.
    request = Request(suite, out, tuple(overrides), budget_scale)
    if claim is not None:
        registration.claim(claim, board, out, beacon, as_json)
    elif reveal is not None and signing is not None:
        registration.reveal(reveal, board, out, signing, as_json)
    elif register and signing is not None:
        registration.register(request, board, signing, blind, release, as_json)
    elif fleet is not None:
        _fit(request, fleet, members, as_json)
    else:
        _write(request, device, members, spreads, as_json)


def _fit(request: Request, named: str, members: int | None, as_json: bool) -> None:
    """Write a plan and cohorts that fit a fleet, and say what they take there."""
    from harness.planning import fleet
    from harness.planning.plan import write_plan
    from harness.planning.request import plan_of

    if members is not None:
        raise UserError("--fleet: chooses the members of a cohort; leave out --members.")
    gpus = fleet.fleet_of(named)
    _, suite_plan = plan_of(request)
    fitted = fleet.fit(suite_plan, gpus)
    folder = Folder(write_plan(suite_plan, request.out))
    fleet.write_cohorts(folder, fitted.cohorts)

    number = len(fitted.cohorts.cohorts)
    if as_json:
        print_json(
            {
                "plan": suite_plan.id,
                "folder": str(folder.path),
                "runs": len(suite_plan.runs),
                "fleet": named,
                "cohorts": number,
                "members": fitted.members,
                "hours": fitted.hours,
                "gpu_hours": fitted.gpu_hours,
            }
        )
        return
    runs = f"{count(len(suite_plan.runs), 'run')} in {count(number, 'cohort')}"
    echo(
        f"plan {suite_plan.id}: {runs} of up to {count(fitted.members, 'member')}, longest first,"
        f" written to {folder.cohorts}"
    )
    echo(
        f"on {gpus.gpus} x {gpus.name}: about {duration(fitted.hours * 3600.0)},"
        f" {fitted.gpu_hours:,.1f} GPU hours (estimate, from rates of one card)"
    )


def _write(
    request: Request, device: str, members: int | None, spreads: Path | None, as_json: bool
) -> None:
    """Write a plan that nobody registers, and say what it takes and what it can find."""
    from harness.planning import finding
    from harness.planning.cohorts import partition
    from harness.planning.estimate import estimate
    from harness.planning.plan import write_plan
    from harness.planning.request import plan_of
    from harness.planning.sizing import GAINS

    if device not in GAINS:
        raise UserError(
            f"--device {device}: unknown device class.{errors.suggestion(device, GAINS)}"
        )

    given = finding.read_spreads(spreads) if spreads else None
    suite_read, suite_plan = plan_of(request)
    folder = write_plan(suite_plan, request.out)
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
