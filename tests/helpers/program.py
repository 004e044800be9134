"""The program `mst-bench`: as a process, or inside this one where a process proves nothing more."""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from harness.cli.main import main


def command(*arguments):
    """The words that start `mst-bench` with these arguments."""
    return [sys.executable, "-P", "-m", "harness.cli", *map(str, arguments)]


def run_process(*arguments, **options):
    """`mst-bench` in a process of its own, to its end; `options` go to `subprocess.run`."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, **options)


@dataclass(frozen=True)
class Finished:
    """How a call of the program ended, in the words of `subprocess.CompletedProcess`."""

    returncode: int
    stdout: str
    stderr: str


def call(*arguments):
    """`mst-bench` inside this process, which saves the seconds that importing torch takes.

    Whatever is raised besides the exit code is raised here too: it would be a traceback.
    """
    stdout = io.StringIO()
    stderr = io.StringIO()
    words = ["mst-bench", *map(str, arguments)]
    with mock.patch.object(sys, "argv", words), redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            main()
        except SystemExit as ending:
            code = ending.code
    return Finished(code or 0, stdout.getvalue(), stderr.getvalue())
