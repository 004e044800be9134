"""The command line: its program and its exit codes.

stdout carries the result, stderr progress and errors; exit codes are those of `harness.errors`.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command

from harness import __version__, errors
from harness.cli import (
    accept,
    clip,
    entries,
    export,
    export_k8s,
    judge,
    keychange,
    plan,
    reeval,
    run,
    show,
    submit,
    variables,
    watch,
)
from harness.cli.app import App
from harness.cli.board import board_app
from harness.cli.keys import keys_app
from harness.cli.log import log_app
from harness.cli.printing import echo
from harness.errors import UserError
from harness.suites import shipped
from harness.words import say

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What Typer raises for arguments that no command takes."""

app = App(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Reproducible deep-RL benchmarks whose numbers can be checked."
    " `mst-bench --suite quick` means `run --suite quick`.",
    epilog=f"Suites: {', '.join(shipped())}. What each is: `mst-bench list suites`."
    " A variable sets any option: MST_BENCH_<FLAG> that of every command,"
    " MST_BENCH_<COMMAND>_<FLAG> that of one.",
)
keychange.register(keys_app)
app.add_typer(keys_app, name="keys")
app.add_typer(log_app, name="log")
app.add_typer(board_app, name="board")
run.register(app)
plan.register(app)
judge.register(app)
reeval.register(app)
show.register(app)
watch.register(app)
export.register(app)
export_k8s.register(app)
clip.register(app)
entries.register(app)
submit.register(app)
accept.register(app)


def _version(shown: bool) -> None:
    if shown:
        echo(f"mst-bench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "-V", "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@functools.cache
def program() -> Any:
    """All commands, each option with its environment variables."""
    group = get_command(app)
    variables.assign(group)
    return group


def main() -> NoReturn:
    """Carries out the command of `sys.argv`. A first argument that is an option means `run`."""
    # In a container the kernel drops signals that the first process has no handler for.
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    try:
        for sentence in variables.unknown(program()):
            say(sentence)
        code = _call(_completed(sys.argv[1:]))
    except UserError as error:
        say(str(error))
        code = error.code
    except OSError as error:
        code = _path_error(error)
    sys.exit(code)


def _completed(arguments: list[str]) -> list[str]:
    """The arguments with what may be left out: `run`, and `--help` in its other spellings."""
    if not arguments or arguments == ["help"]:
        return ["--help"]
    first = arguments[0]
    if first == "help":
        return [*arguments[1:], "--help"]
    if first in shipped():
        raise UserError(f"{first} is a suite, not a command: `mst-bench run --suite {first}`.")

    own = ("-h", "--help", "-V", "--version", "--install-completion", "--show-completion")
    return ["run", *arguments] if first.startswith("-") and first not in own else arguments


def _call(arguments: list[str]) -> int:
    """The exit code of a command; a usage error is one sentence, as any other."""
    try:
        code = program().main(arguments, prog_name="mst-bench", standalone_mode=False)
    except UsageError as error:
        return _usage(error)
    if code == errors.INTERRUPTED:  # Typer's word for a KeyboardInterrupt that nobody caught
        say("interrupted.")
    return code if isinstance(code, int) else errors.OK


def _usage(error: Any) -> int:
    """Says what is wrong with the arguments; a group without a command prints its help instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return errors.OK

    # Choices are listed one a line; the validator names its own exception.
    words = " ".join(error.format_message().split()).removesuffix(".")
    words = words.replace("Value error, ", "")
    command = error.ctx.command_path if error.ctx is not None else "mst-bench"
    if words.startswith("Got unexpected extra argument") and "suite" in error.ctx.params:
        words += "; a suite is named with --suite"
    say(f"{words}. See `{command} --help`.")
    return errors.USAGE


def _path_error(error: OSError) -> int:
    """The exit code of an error that the disk, or a path that a user named, is the cause of."""
    if error.errno in errors.NO_ROOM:
        say(f"{error.filename or 'writing'}: {error.strerror}. {errors.MAKE_ROOM}")
        return errors.INCOMPLETE
    if error.errno in errors.NOT_ALLOWED and error.filename:
        say(f"{error.filename}: {error.strerror}.")
        return errors.USAGE
    raise error


if __name__ == "__main__":
    main()
