"""The command line. stdout carries the result, stderr progress and errors; exit codes are those of `harness.errors`."""

from __future__ import annotations

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from harness import __version__, errors
from harness.errors import UserError
from harness.judge_cli import register
from harness.keys_cli import KeyOption, keys_app, signing_key
from harness.options import Options
from harness.printing import print_diagnosis, print_json, print_summary, print_verdict, sizes_table
from harness.suites import shipped

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Reproducible deep-RL benchmarks whose numbers can be checked. `mst-bench --suite quick` means `run --suite quick`.",
    epilog=f"Suites: {', '.join(shipped())}. What each is: `mst-bench list suites`.",
)
app.add_typer(keys_app, name="keys")
register(app)

SuiteOption = Annotated[str, typer.Option("--suite", help="A shipped suite's name, or the path of a suite file.")]
OutOption = Annotated[Path, typer.Option("--out", envvar="MST_BENCH_OUT", help="Where results go: OUT/<plan id>/.")]
SetOption = Annotated[list[str], typer.Option("--set", help="Override a suite's key, as evaluation.episodes=5. Unranked.")]
ScaleOption = Annotated[float, typer.Option("--budget-scale", min=1e-6, max=1.0, help="Share of the budget. Unranked.")]
DeviceOption = Annotated[str, typer.Option("--device", envvar="MST_BENCH_DEVICE", help="auto, cpu, cuda or cuda:<index>.")]
MembersOption = Annotated[int | None, typer.Option("--members", min=1, help="Members of a cohort. Default: by device class.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
CheckpointOption = Annotated[float, typer.Option("--checkpoint-seconds", min=0.0, help="Seconds between checkpoints.")]
WallOption = Annotated[float | None, typer.Option("--max-wall", min=0.0, help="Save and stop after this many seconds: exit 3.")]
DriftOption = Annotated[bool, typer.Option("--allow-drift", help="Go on although code or libraries changed. Unranked.")]
RetriesOption = Annotated[int, typer.Option("--retries", min=0, help="Restarts of a cohort after infrastructure faults.")]
WatchdogOption = Annotated[
    float, typer.Option("--watchdog-seconds", min=1.0, help="Silence after which the environments count as hung.")
]
DeterministicOption = Annotated[bool, typer.Option("--deterministic", help="On a GPU: the same bits each time, slower.")]
EagerOption = Annotated[bool, typer.Option("--eager", help="On a GPU: no recorded steps (CUDA graphs), slower.")]
ProfileOption = Annotated[bool, typer.Option("--profile", help="Trace some agent steps: cohorts/<i>/trace.json.")]
ImageOption = Annotated[str, typer.Option("--image", help="For --executor docker: image of the containers.")]
DevicesOption = Annotated[str, typer.Option("--devices", help="For --executor docker: GPUs to spread cohorts over, as 0,1.")]
MemoryOption = Annotated[
    float | None, typer.Option("--memory-gib", min=0.1, help="For --executor docker: memory limit of a container.")
]
TrustOption = Annotated[Path | None, typer.Option("--trust", envvar="MST_BENCH_TRUST", help="Trust file: keys that are known.")]


class Listed(StrEnum):
    """What `list` can list."""

    suites = "suites"
    tasks = "tasks"
    regimes = "regimes"
    triples = "triples"
    blocks = "blocks"
    agents = "agents"
    executors = "executors"


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"mst-bench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
def run(
    suite: SuiteOption = "quick",
    out: OutOption = Path("out"),
    overrides: SetOption = [],  # noqa: B006 - typer wants a plain default
    budget_scale: ScaleOption = 1.0,
    device: DeviceOption = "auto",
    executor: Annotated[str, typer.Option("--executor", help="See `list executors`.")] = "local",
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="Cohorts at a time. Default: one a CPU.")] = None,
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
    from leaderboard.verify import verify

    if executor not in EXECUTORS:
        raise UserError(f"--executor {executor}: unknown executor.{errors.suggestion(executor, EXECUTORS)}")
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
    document = execute(Request(suite, out, tuple(overrides), budget_scale, executor, members, options), signing)
    verdict = verify(Path(document["entry"]))
    if as_json:
        print_json({**document, "accepted": verdict.accepted})
    else:
        print_summary(document)
        print_verdict(verdict)
    if not verdict.accepted:
        raise typer.Exit(errors.UNVERIFIED)


@app.command()
def plan(
    suite: SuiteOption = "quick",
    out: OutOption = Path("out"),
    overrides: SetOption = [],  # noqa: B006
    budget_scale: ScaleOption = 1.0,
    device: Annotated[str, typer.Option("--device", help="Device class to plan for: cpu or cuda.")] = "cpu",
    members: MembersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the plan of a suite and say what it will take; nothing is run."""
    from harness.cohort_size import GAINS
    from harness.estimate import estimate
    from harness.partition import partition
    from harness.plan import write_plan
    from harness.run import Request, plan_of

    if device not in GAINS:
        raise UserError(f"--device {device}: unknown device class.{errors.suggestion(device, GAINS)}")
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
        print_json({"plan": made.id, "folder": str(folder), "runs": len(made.runs), "cohorts": len(cohorts.cohorts), **figures})
        return
    updates = ", ".join(f"{count} {module}" for module, count in made.budget.updates.items())
    sizes = sorted({len(cohort.runs) for cohort in cohorts.cohorts})
    span = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else str(sizes[0])
    total = f"{len(made.runs)} runs in {len(cohorts.cohorts)} cohorts of {span} members"
    typer.echo(f"plan {made.id}: {total}, written to {folder / 'plan.json'}")
    typer.echo(
        f"each run: {made.budget.environment_steps} environment steps = {made.budget.agent_steps} agent steps;"
        f" updates: {updates}"
    )
    typer.echo(sizes_table(made))
    typer.echo(
        f"needs about {needs.memory_gib:.1f} GiB of memory a cohort, {needs.disk_gib:.2f} GiB of disk,"
        f" {needs.core_hours:.1f} CPU core hours in all (estimate, good to a factor of two)"
    )


@app.command("run-cohort")
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
    from harness import unit
    from harness.device import choose_device
    from harness.executors.local import stop_with_parent
    from harness.image import check_sample
    from harness.partition import frozen_cohorts
    from harness.plan import read_plan

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


@app.command(hidden=True)
def seal(
    plan_file: Annotated[Path, typer.Option("--plan", help="plan.json in its folder.")],
    started: Annotated[float, typer.Option("--started", help="When the work began, in seconds since 1970.")],
    command: Annotated[str, typer.Option("--command", help="The command that someone typed.")],
) -> None:
    """Write manifest.json: what carried the plan out. Executors call it where the cohorts ran."""
    from harness.entry import write_manifest
    from harness.plan import read_plan

    write_manifest(plan_file.parent, read_plan(plan_file), started, command)


@app.command("list")
def list_(what: Annotated[Listed, typer.Argument(help="What to list.")], as_json: JsonOption = False) -> None:
    """What is there, with a line of meaning each."""
    from tabulate import tabulate

    from harness.listing import rows

    headers, found = rows(what.value)
    if as_json:
        print_json([dict(zip(headers, row, strict=True)) for row in found])
    else:
        typer.echo(tabulate(found, headers=headers))


@app.command()
def status(folder: Annotated[Path, typer.Argument(help="OUT/<plan id>.")], as_json: JsonOption = False) -> None:
    """The runs of a plan folder, where unfinished ones are, and the comparison so far; exit 3 while some have no result."""
    from harness.plan import read_plan
    from harness.run import summary, unfinished

    document = {**summary(folder, read_plan(folder / "plan.json")), "unfinished": unfinished(folder)}
    if as_json:
        print_json(document)
    else:
        print_summary(document)
        for cohort in document["unfinished"]:
            typer.echo(cohort["line"])
    if any(run["status"] == "missing" for run in document["runs"]):
        raise typer.Exit(errors.INCOMPLETE)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="OUT/<plan id>, or the folder of an entry.")]) -> None:
    """Draw report.html of a plan folder: one offline page. An entry is verified first; without one, the figures so far."""
    from harness.report import Refused, write_report

    try:
        typer.echo(write_report(folder))
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None


@app.command()
def doctor(
    names: Annotated[list[str] | None, typer.Argument(help="Suites to look at. Default: all that are shipped.")] = None,
    out: OutOption = Path("out"),
    full: Annotated[bool, typer.Option("--full", help="In the image: look at every file of it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What this machine can run: libraries, simulation to the bit, speed, and what each suite takes. Exit 7 if it deviates."""
    from harness.doctor import diagnose

    diagnosis = diagnose(out, names or list(shipped()), full)
    if as_json:
        print_json(diagnosis.document())
    else:
        print_diagnosis(diagnosis)
    if not diagnosis.conforms:
        raise typer.Exit(errors.NONCONFORMING)


@app.command()
def sign(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>, already carried out.")],
    key: Annotated[Path, typer.Option("--key", envvar="MST_BENCH_KEY", help="Ed25519 private key.")],
) -> None:
    """Sign a plan folder with your key, replacing a one-use signature. The old entry is verified first."""
    from harness.entry import ENTRY, write_entry
    from harness.plan import read_plan
    from leaderboard.verify import verify

    signing = signing_key(key)
    if not (folder / ENTRY).exists():
        raise UserError(f"{folder / ENTRY}: no entry to sign; `mst-bench run` makes one.")
    verdict = verify(folder / ENTRY)
    if not verdict.accepted:
        print_verdict(verdict)
        raise typer.Exit(errors.UNVERIFIED)
    entry = write_entry(folder, read_plan(folder / "plan.json"), signing)
    typer.echo(f"{entry}: signed with key {signing.key_id[:16]}")


@app.command()
def verify(
    entry: Annotated[Path, typer.Argument(help="entry.dsse.json, its files beside it.")],
    trust: TrustOption = None,
    release: Annotated[Path | None, typer.Option("--release", help="Signed release statement of the entry's image.")] = None,
    complete: Annotated[bool, typer.Option("--complete", help="Refuse an entry whose tensors are not there.")] = False,
    reeval: Annotated[Path | None, typer.Option("--reeval", help="Signed re-evaluation of the entry.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check an entry, offline: one line a check. Exit 4 if any fails."""
    from leaderboard.keys import KeyFileError
    from leaderboard.verify import verify as run_checks

    try:
        verdict = run_checks(entry, trust, release, complete, reeval)
    except OSError as error:
        raise UserError(f"{error.filename or entry}: cannot be read ({error.strerror}).") from None
    except KeyFileError as error:
        raise UserError(str(error)) from None
    if as_json:
        checks = [{"name": check.name, "status": check.status, "detail": check.detail} for check in verdict.checks]
        print_json({"entry": str(entry), "accepted": verdict.accepted, "level": verdict.level, "checks": checks})
    else:
        print_verdict(verdict)
    if not verdict.accepted:
        raise typer.Exit(errors.UNVERIFIED)


@app.command()
def release(
    image: Annotated[str, typer.Option("--image", help="The image, as the engine knows it.")] = "mst-bench",
    out: Annotated[Path, typer.Option("--out", help="Folder of the statement and of what it binds.")] = Path("release"),
    key: KeyOption = None,
) -> None:
    """Sign what an image is: its digests, content manifest, commit and lock. The image is read, not run."""
    from harness.release import write_release

    typer.echo(write_release(image, out, signing_key(key)))


def main() -> NoReturn:
    """The console script. A first argument that is an option means `run`."""
    if os.getpid() == 1:  # in a container: the kernel drops signals that the first process has no handler for
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    arguments = sys.argv[1:]
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version"):
        arguments.insert(0, "run")
    if arguments == ["-h"]:
        arguments = ["--help"]
    try:
        app(args=arguments, prog_name="mst-bench", auto_envvar_prefix="MST_BENCH")
    except UserError as error:
        print(f"mst-bench: {error}", file=sys.stderr)
        sys.exit(error.code)
    except OSError as error:
        if error.errno not in errors.NO_ROOM:
            raise
        print(f"mst-bench: {error.filename or 'writing'}: {error.strerror}. {errors.MAKE_ROOM}", file=sys.stderr)
        sys.exit(errors.INCOMPLETE)
    sys.exit(errors.OK)


if __name__ == "__main__":
    main()
