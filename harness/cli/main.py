"""The command line: its program and its exit codes.

stdout carries the result, stderr progress and errors; exit codes are those of `harness.errors`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from harness import __version__, errors
from harness.cli import entries, judge, run, show
from harness.cli.keys import keys_app
from harness.errors import UserError
from harness.suites import shipped

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Reproducible deep-RL benchmarks whose numbers can be checked."
    " `mst-bench --suite quick` means `run --suite quick`.",
    epilog=f"Suites: {', '.join(shipped())}. What each is: `mst-bench list suites`.",
)
app.add_typer(keys_app, name="keys")
run.register(app)
judge.register(app)
show.register(app)
entries.register(app)


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


def main() -> NoReturn:
    """The console script. A first argument that is an option means `run`."""
    # In a container the kernel drops signals that the first process has no handler for.
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    arguments = sys.argv[1:]
    own = ("-h", "--help", "--version")
    if arguments and arguments[0].startswith("-") and arguments[0] not in own:
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
