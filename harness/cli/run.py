"""Commands that carry plans out: run, plan, run-cohort, and seal, which executors call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness import errors
from harness.cli.keys import KeyOption, signing_key
from harness.cli.printing import JsonOption, print_json, print_summary, print_verdict, sizes_table
from harness.errors import UserError
from harness.folder import Folder
from harness.options import Options

SuiteOption = Annotated[
    str, typer.Option("--suite", help="A shipped suite's name, or the path of a suite file.")
]
OutOption = Annotated[
    Path, typer.Option("--out", envvar="MST_BENCH_OUT", help="Where results go: OUT/<plan id>/.")
]
SetOption = Annotated[
    list[str],
    typer.Option("--set", help="Override a suite's key, as evaluation.episodes=5. Unranked."),
]
ScaleOption = Annotated[
    float, typer.Option("--budget-scale", min=1e-6, max=1.0, help="Share of the budget. Unranked.")
]
DeviceOption = Annotated[
    str,
    typer.Option("--device", envvar="MST_BENCH_DEVICE", help="auto, cpu, cuda or cuda:<index>."),
]
MembersOption = Annotated[
    int | None,
    typer.Option("--members", min=1, help="Members of a cohort. Default: by device class."),
]
CheckpointOption = Annotated[
    float, typer.Option("--checkpoint-seconds", min=0.0, help="Seconds between checkpoints.")
]
WallOption = Annotated[
    float | None,
    typer.Option("--max-wall", min=0.0, help="Save and stop after this many seconds: exit 3."),
]
DriftOption = Annotated[
    bool, typer.Option("--allow-drift", help="Go on although code or libraries changed. Unranked.")
]
RetriesOption = Annotated[
    int, typer.Option("--retries", min=0, help="Restarts of a cohort after infrastructure faults.")
]
WatchdogOption = Annotated[
    float,
    typer.Option(
        "--watchdog-seconds", min=1.0, help="Silence after which the environments count as hung."
    ),
]
DeterministicOption = Annotated[
    bool, typer.Option("--deterministic", help="On a GPU: the same bits each time, slower.")
]
EagerOption = Annotated[
    bool, typer.Option("--eager", help="On a GPU: no recorded steps (CUDA graphs), slower.")
]
ProfileOption = Annotated[
    bool, typer.Option("--profile", help="Trace some agent steps: cohorts/<i>/trace.json.")
]
ImageOption = Annotated[
    str, typer.Option("--image", help="For --executor docker: image of the containers.")
]
DevicesOption = Annotated[
    str,
    typer.Option("--devices", help="For --executor docker: GPUs to spread cohorts over, as 0,1."),
]
MemoryOption = Annotated[
    float | None,
    typer.Option(
        "--memory-gib", min=0.1, help="For --executor docker: memory limit of a container."
    ),
]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(run)
    app.command()(plan)
    app.command("run-cohort")(run_cohort)
    app.command(hidden=True)(seal)


def run(
    suite: SuiteOption = "quick",
    out: OutOption = Path("out"),
    overrides: SetOption = [],  # noqa: B006 - typer wants a plain default
    budget_scale: ScaleOption = 1.0,
    device: DeviceOption = "auto",
    executor: Annotated[str, typer.Option("--executor", help="See `list executors`.")] = "local",
    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", min=1, help="Cohorts at a time. Default: one a CPU."),
    ] = None,
    members: MembersOption = None,
    checkpoint_seconds: CheckpointOption = Options.checkpoint_seconds,
    max_wall: WallOption = None,
    allow_drift: DriftOption = False,
    retries: RetriesOption = Options.retries,
    watchdog_seconds: WatchdogOption = Options.watchdog_seconds,
    deterministic: DeterministicOption = False,
    eager: EagerOption = False,
    profile: ProfileOption = False,
    image: ImageOption = Options.image,
    devices: DevicesOption = "",
    memory_gib: MemoryOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry a suite out: plan, train, sign, verify, compare. The same command again does what is missing."""
    from harness.executors import EXECUTORS
    from harness.run import Request, execute
    from leaderboard.verification.verify import verify

    if executor not in EXECUTORS:
        raise UserError(
            f"--executor {executor}: unknown executor.{errors.suggestion(executor, EXECUTORS)}"
        )
    signing = signing_key(key)
    options = Options(
        device=device,
        jobs=jobs,
        checkpoint_seconds=checkpoint_seconds,
        max_wall=max_wall,
        allow_drift=allow_drift,
        retries=retries,
        watchdog_seconds=watchdog_seconds,
        deterministic=deterministic,
        eager=eager,
        profile=profile,
        image=image,
        devices=tuple(name.strip() for name in devices.split(",") if name.strip()),
        memory_gib=memory_gib,
    )
    document = execute(
        Request(suite, out, tuple(overrides), budget_scale, executor, members, options), signing
    )
    verdict = verify(Path(document["entry"]))
    if as_json:
        print_json({**document, "accepted": verdict.accepted})
    else:
        print_summary(document)
        print_verdict(verdict)
    if not verdict.accepted:
        raise typer.Exit(errors.UNVERIFIED)


def plan(
    suite: SuiteOption = "quick",
    out: OutOption = Path("out"),
    overrides: SetOption = [],  # noqa: B006
    budget_scale: ScaleOption = 1.0,
    device: Annotated[
        str, typer.Option("--device", help="Device class to plan for: cpu or cuda.")
    ] = "cpu",
    members: MembersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the plan of a suite and say what it will take; nothing is run."""
    from harness.planning.cohorts import partition
    from harness.planning.estimate import estimate
    from harness.planning.plan import write_plan
    from harness.planning.sizing import GAINS
    from harness.run import Request, plan_of

    if device not in GAINS:
        raise UserError(
            f"--device {device}: unknown device class.{errors.suggestion(device, GAINS)}"
        )
    _, made = plan_of(Request(suite, out, tuple(overrides), budget_scale))
    folder = write_plan(made, out)
    cohorts = partition(made, device, members)
    needs = estimate(made, cohorts.cohorts)
    if as_json:
        figures: dict[str, Any] = {
            "memory_gib": needs.memory_gib,
            "disk_gib": needs.disk_gib,
            "cpu_core_hours": needs.core_hours,
        }
        figures |= {"sizes": made.document()["sizes"]}
        print_json(
            {
                "plan": made.id,
                "folder": str(folder),
                "runs": len(made.runs),
                "cohorts": len(cohorts.cohorts),
                **figures,
            }
        )
        return
    updates = ", ".join(f"{count} {module}" for module, count in made.budget.updates.items())
    sizes = sorted({len(cohort.runs) for cohort in cohorts.cohorts})
    span = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else str(sizes[0])
    total = f"{len(made.runs)} runs in {len(cohorts.cohorts)} cohorts of {span} members"
    typer.echo(f"plan {made.id}: {total}, written to {Folder(folder).plan}")
    typer.echo(
        f"each run: {made.budget.environment_steps} environment steps = {made.budget.agent_steps} agent steps;"
        f" updates: {updates}"
    )
    typer.echo(sizes_table(made))
    typer.echo(
        f"needs about {needs.memory_gib:.1f} GiB of memory a cohort, {needs.disk_gib:.2f} GiB of disk,"
        f" {needs.core_hours:.1f} CPU core hours in all (estimate, good to a factor of two)"
    )


def run_cohort(
    plan_file: Annotated[Path, typer.Option("--plan", help="plan.json in its folder.")],
    index: Annotated[int, typer.Option("--index", min=0, help="Which cohort of cohorts.json.")],
    device: DeviceOption = "auto",
    members: MembersOption = None,
    checkpoint_seconds: CheckpointOption = Options.checkpoint_seconds,
    max_wall: WallOption = None,
    allow_drift: DriftOption = False,
    retries: RetriesOption = Options.retries,
    watchdog_seconds: WatchdogOption = Options.watchdog_seconds,
    deterministic: DeterministicOption = False,
    eager: EagerOption = False,
    profile: ProfileOption = False,
) -> None:
    """Carry out one cohort, or go on with it: the idempotent unit that every executor calls."""
    from harness.executors.local import stop_with_parent
    from harness.machine.device import choose_device
    from harness.machine.image import check_sample
    from harness.planning.cohorts import frozen_cohorts
    from harness.planning.plan import read_plan
    from harness.training import unit

    stop_with_parent()
    check_sample()
    made = read_plan(plan_file)
    chosen = choose_device(device, "any", made.suite)
    cohorts = frozen_cohorts(plan_file.parent, made, chosen.partition(":")[0], members).cohorts
    if index >= len(cohorts):
        raise UserError(f"--index {index}: the plan has cohorts 0 to {len(cohorts) - 1}.")
    options = Options(
        device=chosen,
        jobs=1,
        checkpoint_seconds=checkpoint_seconds,
        max_wall=max_wall,
        allow_drift=allow_drift,
        retries=retries,
        watchdog_seconds=watchdog_seconds,
        deterministic=deterministic,
        eager=eager,
        profile=profile,
    )
    unit.run_cohort(plan_file.parent, made, cohorts[index], options)


def seal(
    plan_file: Annotated[Path, typer.Option("--plan", help="plan.json in its folder.")],
    started: Annotated[
        float, typer.Option("--started", help="When the work began, in seconds since 1970.")
    ],
    command: Annotated[str, typer.Option("--command", help="The command that someone typed.")],
) -> None:
    """Write manifest.json: what carried the plan out. Executors call it where the cohorts ran."""
    from harness.entries.manifest import write_manifest
    from harness.planning.plan import read_plan

    write_manifest(plan_file.parent, read_plan(plan_file), started, command)
