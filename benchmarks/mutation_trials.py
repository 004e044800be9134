"""Tries one mutant after the other in a scratch copy of the tree; mutation_testing.py asks it.

One process loads the large libraries once and forks for each mutant, which saves seconds each time.
It never loads code of the project. A mutant that runs for ever dies of a limit on processor time,
one that waits for ever of a limit on time.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

LIBRARIES = ("torch", "scipy.stats", "pytest", "hypothesis", "jsonschema", "matplotlib", "jinja2")
CPU_SECONDS = 150
"""Of one process of a trial. The slowest tests that belong together take about a third."""
SECONDS = 900
MEMORY = 12 * 2**30

_MARKED = "not slow and not browser"
_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "--numprocesses=0", "-m", _MARKED)


class Trial(NamedTuple):
    """How the tests went."""

    outcome: str
    """`survived`: all tests passed. `killed`: one failed. `timeout`: they never ended."""
    by: str
    """The first test that failed."""
    seconds: float


class Scratch:
    """A copy of the tree in which files are changed and tests run."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Copies the files that git knows or would add.

        root: the tree. folder: where the copy goes; it must not exist.
        """
        self.folder = folder
        listing = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"]
        names = subprocess.run(listing, check=True, capture_output=True).stdout.decode()
        for name in filter(None, names.split("\0")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)

        # Nobody writes bytecode: a mutant of the same size within a second would find the old one.
        os.environ |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        for library in LIBRARIES:
            __import__(library)

    @contextmanager
    def changed(self, file: str, code: str) -> Iterator[None]:
        """Gives a file of the copy another content meanwhile."""
        original = (self.folder / file).read_bytes()
        (self.folder / file).write_text(code)
        try:
            yield
        finally:
            (self.folder / file).write_bytes(original)

    def trial(self, tests: Sequence[str], keep: bool = False) -> Trial:
        """Runs test files in a process of their own until one fails.

        keep: later trials read the finished runs that these tests make; for unchanged code.
        """
        note = self.folder / "failed.txt"
        note.unlink(missing_ok=True)
        started = time.monotonic()
        code = _in_a_fork(lambda: self._tests(tests, note, keep))
        seconds = time.monotonic() - started

        failed = note.read_text().strip() if note.exists() else ""
        if code == 0:
            return Trial("survived", "", seconds)
        if code is None or (code == -signal.SIGXCPU and not failed):
            return Trial("timeout", "", seconds)
        return Trial("killed", failed or "nothing could be imported", seconds)

    def _tests(self, tests: Sequence[str], note: Path, keep: bool) -> int:
        """What a fork does."""
        import pytest

        os.chdir(self.folder)
        sys.path[:0] = [str(self.folder)]
        beside = self.folder.parent
        words = [*_OPTIONS, f"--basetemp={beside / 'pytest'}", *tests]
        return int(pytest.main(words, plugins=[_Notes(note, beside / "entries", keep)]))


class _Notes:
    """A pytest plugin: hands out finished runs and notes which test failed."""

    def __init__(self, note: Path, entries: Path, keep: bool) -> None:
        self.note, self.entries, self.keep = note, entries, keep

    def pytest_sessionstart(self, session: Any) -> None:
        """Finished runs are ready where `helpers.runs.made_once` looks for them."""
        base = session.config._tmp_path_factory.getbasetemp()
        for ready in self.entries.glob("*.path"):
            shutil.copy(ready, base)

    def pytest_sessionfinish(self, session: Any) -> None:
        """Runs that this session made are kept."""
        base = session.config._tmp_path_factory.getbasetemp()
        for made in base.glob("*.path") if self.keep else ():
            if not (self.entries / made.name).exists():
                entry = Path(made.read_text())
                kept = self.entries / made.stem / entry.parent.name
                shutil.copytree(entry.parent, kept)
                (self.entries / made.name).write_text(str(kept / entry.name))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """The first failure is the killer."""
        if report.failed and not self.note.exists():
            self.note.write_text(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        """A file that cannot be imported kills too."""
        if report.failed and not self.note.exists():
            self.note.write_text(report.nodeid)


def _in_a_fork(work: Callable[[], int]) -> int | None:
    """Exit code of `work` in a fork of this process; negative: a signal; None: it took too long."""
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        silent = os.open(os.devnull, os.O_RDWR)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        code = 70
        try:
            code = work()
        finally:
            os._exit(code)

    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        return None
    finally:
        _end(child)


def _end(group: int) -> None:
    """Ends what a fork left running."""
    try:
        os.killpg(group, signal.SIGKILL)
        os.waitpid(group, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
