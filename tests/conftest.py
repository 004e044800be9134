"""A finished run of a tiny suite, made once for all tests."""

import os

os.environ.setdefault("OPENBLAS_CORETYPE", "Nehalem")  # before numpy is loaded: see envs/oracle.py

import fcntl
import shutil
from pathlib import Path

import pytest
import torch

from helpers.hosts import chromium, image
from helpers.suites import TINY

torch.set_num_threads(1)


def pytest_xdist_auto_num_workers():
    """One more than there are cores: the tests wait for processes now and then."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items):
    """Without a browser or an image their tests do not run, unless they are required to."""
    missing = {}
    if chromium() is None and os.environ.get("MST_BENCH_BROWSER") != "required":
        missing["browser"] = "no chromium"
    if image() is None:
        missing["container"] = "no image"
    if not torch.cuda.is_available():
        missing["cuda"] = "no CUDA device"
    for item in items:
        for marker, reason in missing.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter):
    """One line each says so."""
    if not torch.cuda.is_available():
        terminalreporter.write_line(
            "Nothing was learned on a GPU: tests/agents/test_cuda.py needs a CUDA device."
        )
    if chromium() is None:
        terminalreporter.write_line(
            "The report was not opened in a browser: those tests need chromium, Debian's package."
        )
    if image() is None:
        terminalreporter.write_line(
            "The image was not run: name an image of `make image` in MST_BENCH_TEST_IMAGE."
        )


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder that all processes of one test session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def tiny_suite(shared):
    """The path of a suite file that takes seconds."""
    path = shared / "tiny.yaml"
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(TINY)
    part.replace(path)  # whole at every moment: another process may be reading it
    return path


@pytest.fixture(scope="session")
def tiny_entry(tiny_suite, shared) -> Path:
    """The signed entry of a finished run of the tiny suite, its files beside it. Copy it before
    changing anything."""
    from harness.run import Request, execute
    from leaderboard.formats.keys import one_use_key

    made = shared / "tiny-entry"
    with open(shared / "tiny-entry.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first process makes it, the others find it
        if not made.exists():
            carried_out = execute(
                Request(str(tiny_suite), shared / "out", executor="inline"), one_use_key()
            )
            made.write_text(carried_out.summary.entry)
    return Path(made.read_text())


@pytest.fixture
def entry(tiny_entry, tmp_path):
    """A copy of a real entry with its files."""
    shutil.copytree(tiny_entry.parent, tmp_path / "plan")
    return tmp_path / "plan" / tiny_entry.name


@pytest.fixture
def fresh(tiny_entry, tmp_path):
    """A folder with nothing but the plan and the cohorts of the tiny run."""
    folder = tmp_path / tiny_entry.parent.name
    folder.mkdir()
    for name in ("plan.json", "suite.json", "cohorts.json"):
        shutil.copy(tiny_entry.parent / name, folder / name)
    return folder
