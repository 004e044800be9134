"""The command line. stdout carries the result, stderr progress and errors; exit codes are those of `harness.errors`."""

from __future__ import annotations

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from harness import __version__, errors
from harness.cli import judge, run
from harness.cli.keys import KeyOption, keys_app, signing_key
from harness.cli.printing import (
    JsonOption,
    print_diagnosis,
    print_json,
    print_summary,
    print_verdict,
)
from harness.cli.run import OutOption
from harness.errors import UserError
from harness.folder import Folder
from harness.suites import shipped

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Reproducible deep-RL benchmarks whose numbers can be checked. `mst-bench --suite quick` means `run --suite quick`.",
    epilog=f"Suites: {', '.join(shipped())}. What each is: `mst-bench list suites`.",
)
app.add_typer(keys_app, name="keys")
run.register(app)
judge.register(app)

TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", envvar="MST_BENCH_TRUST", help="Trust file: keys that are known."),
]


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
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("list")
def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")], as_json: JsonOption = False
) -> None:
    """What is there, with a line of meaning each."""
    from tabulate import tabulate

    from harness.cli.listing import rows

    headers, found = rows(what.value)
    if as_json:
        print_json([dict(zip(headers, row, strict=True)) for row in found])
    else:
        typer.echo(tabulate(found, headers=headers))


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>.")], as_json: JsonOption = False
) -> None:
    """The runs of a plan folder, where unfinished ones are, and the comparison so far; exit 3 while some have no result."""
    from harness.planning.plan import read_plan
    from harness.run import summary, unfinished

    document = {
        **summary(folder, read_plan(Folder(folder).plan)),
        "unfinished": unfinished(folder),
    }
    if as_json:
        print_json(document)
    else:
        print_summary(document)
        for cohort in document["unfinished"]:
            typer.echo(cohort["line"])
    if any(run["status"] == "missing" for run in document["runs"]):
        raise typer.Exit(errors.INCOMPLETE)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>, or the folder of an entry.")],
) -> None:
    """Draw report.html of a plan folder: one offline page. An entry is verified first; without one, the figures so far."""
    from harness.entries.page import write_report
    from harness.entries.verified import Refused

    try:
        typer.echo(write_report(folder))
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None


@app.command()
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
    key: Annotated[
        Path, typer.Option("--key", envvar="MST_BENCH_KEY", help="Ed25519 private key.")
    ],
) -> None:
    """Sign a plan folder with your key, replacing a one-use signature. The old entry is verified first."""
    from harness.entries.entry import write_entry
    from harness.planning.plan import read_plan
    from leaderboard.verification.verify import verify

    signing = signing_key(key)
    if not Folder(folder).entry.exists():
        raise UserError(f"{Folder(folder).entry}: no entry to sign; `mst-bench run` makes one.")
    verdict = verify(Folder(folder).entry)
    if not verdict.accepted:
        print_verdict(verdict)
        raise typer.Exit(errors.UNVERIFIED)
    entry = write_entry(folder, read_plan(Folder(folder).plan), signing)
    typer.echo(f"{entry}: signed with key {signing.key_id[:16]}")


@app.command()
def verify(
    entry: Annotated[Path, typer.Argument(help="entry.dsse.json, its files beside it.")],
    trust: TrustOption = None,
    release: Annotated[
        Path | None,
        typer.Option("--release", help="Signed release statement of the entry's image."),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Refuse an entry whose tensors are not there.")
    ] = False,
    reeval: Annotated[
        Path | None, typer.Option("--reeval", help="Signed re-evaluation of the entry.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check an entry, offline: one line a check. Exit 4 if any fails."""
    from leaderboard.formats.keys import KeyFileError
    from leaderboard.verification.verify import verify as run_checks

    try:
        verdict = run_checks(entry, trust, release, complete, reeval)
    except OSError as error:
        raise UserError(f"{error.filename or entry}: cannot be read ({error.strerror}).") from None
    except KeyFileError as error:
        raise UserError(str(error)) from None
    if as_json:
        checks = [
            {"name": check.name, "status": check.status, "detail": check.detail}
            for check in verdict.checks
        ]
        print_json(
            {
                "entry": str(entry),
                "accepted": verdict.accepted,
                "level": verdict.level,
                "checks": checks,
            }
        )
    else:
        print_verdict(verdict)
    if not verdict.accepted:
        raise typer.Exit(errors.UNVERIFIED)


@app.command()
def release(
    image: Annotated[
        str, typer.Option("--image", help="The image, as the engine knows it.")
    ] = "mst-bench",
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the statement and of what it binds.")
    ] = Path("release"),
    key: KeyOption = None,
) -> None:
    """Sign what an image is: its digests, content manifest, commit and lock. The image is read, not run."""
    from harness.entries.release import write_release

    typer.echo(write_release(image, out, signing_key(key)))


def main() -> NoReturn:
    """The console script. A first argument that is an option means `run`."""
    if (
        os.getpid() == 1
    ):  # in a container: the kernel drops signals that the first process has no handler for
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    arguments = sys.argv[1:]
    if (
        arguments
        and arguments[0].startswith("-")
        and arguments[0] not in ("-h", "--help", "--version")
    ):
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
        print(
            f"mst-bench: {error.filename or 'writing'}: {error.strerror}. {errors.MAKE_ROOM}",
            file=sys.stderr,
        )
        sys.exit(errors.INCOMPLETE)
    sys.exit(errors.OK)


if __name__ == "__main__":
    main()
