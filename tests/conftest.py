"""Fixtures of all tests, tests that this machine cannot run, and what was left out, in words."""

import os
import signal

os.environ.setdefault("OPENBLAS_CORETYPE", "Nehalem")  # before numpy is loaded: see envs/oracle.py

import shutil
from ctypes.util import find_library
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from harness.entries import manifest
from helpers.cluster import has_slurm
from helpers.forge import resign
from helpers.hosts import chromium, image, sif
from helpers.network_folder import has_network_folders
from helpers.runs import finished_run, made_once, planned_copy
from helpers.suites import TINY
from helpers.trust import CURATOR, SUBMITTER, trust_of

torch.set_num_threads(1)

# What a script starts in the background ignores Ctrl-C, and so would every program of the tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LEFT_OUT = pytest.StashKey[int]()
"""Slow tests that `-m "not slow"` left out."""


def pytest_xdist_auto_num_workers():
    """One more than there are cores: the tests wait for processes now and then."""
    return len(os.sched_getaffinity(0)) + 1


# -- what does not run, and the lines at the end that say so --


def pytest_collection_modifyitems(items):
    """Without a browser, an image, a GPU or Slurm their tests do not run, unless required to."""
    missing = {}
    if chromium() is None and os.environ.get("MST_BENCH_TEST_BROWSER") != "required":
        missing["browser"] = "no chromium"
    if image() is None:
        missing["container"] = "no image"
    if find_spec("ray") is None:
        missing["ray"] = "ray is not installed"
    if not torch.cuda.is_available():
        missing["cuda"] = "no CUDA device"
    if not has_slurm() and os.environ.get("MST_BENCH_TEST_SLURM") != "required":
        missing["slurm"] = "no slurmctld, slurmd and sbatch"
    if sif() is None:
        missing["apptainer"] = "no apptainer, or no image of it"
    if not has_network_folders():
        missing["sshfs"] = "no sshfs and sshd, no /dev/fuse, or not root"

    for test in items:
        for marker, reason in missing.items():
            if test.get_closest_marker(marker):
                test.add_marker(pytest.mark.skip(reason=reason))


def pytest_deselected(items):
    """Counts the slow tests, in each process that collects tests."""
    slow = sum(test.get_closest_marker("slow") is not None for test in items)
    config = items[0].config
    if "not slow" in config.getoption("markexpr"):
        config.stash[LEFT_OUT] = config.stash.get(LEFT_OUT, 0) + slow


def pytest_sessionfinish(session):
    """Tells the count to the process that started this one, which collects no tests itself."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = session.config.stash.get(LEFT_OUT, 0)


def pytest_testnodedown(node):
    """Takes over the count of one process; all of them have the same."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left out", 0)


def pytest_terminal_summary(terminalreporter, config):
    """One line for each kind of test that did not run."""
    say = terminalreporter.write_line
    if left_out := config.stash.get(LEFT_OUT, 0):
        say(f"{left_out} slow tests were left out: `make test-all` runs them too.")
    if not torch.cuda.is_available():
        say("Nothing was learned on a GPU: tests/agents/test_cuda.py needs a CUDA device.")
    if chromium() is None:
        say("The report was not opened in a browser: those tests need Debian's chromium.")
    if find_library("OSMesa") is None:
        say("No episode was drawn: tests/harness/test_clip.py needs Debian's libosmesa6.")
    if find_spec("ray") is None:
        say("No Ray cluster was started: tests/ray/test_cluster.py needs the extra `ray`.")
    if not has_slurm():
        say("No job of Slurm ran: tests/slurm needs Debian's slurmctld, slurmd and slurm-client.")
    if sif() is None:
        say("No image ran in Apptainer: name one of `apptainer build` in MST_BENCH_TEST_SIF.")
    if not has_network_folders():
        say("No network folder was mounted: needs root, Debian's sshfs and openssh-server.")
    if image() is None:
        say("The image was not run: name an image of `make image` in MST_BENCH_TEST_IMAGE.")


# -- what no test shares with the person who runs it --


@pytest.fixture(scope="session", autouse=True)
def own_configuration(tmp_path_factory):
    """A folder of configuration of the tests' own: what this user saw of boards stays unseen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        yield


# -- finished runs, made once for all tests --


@pytest.fixture(scope="session", autouse=True)
def one_canary():
    """The same code on the same machine has the same canary, which takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "canary", cache(manifest.canary))
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder that all processes of one test session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def tiny_suite(shared) -> Path:
    """The path of a suite file that takes seconds."""
    path = shared / "tiny.yaml"
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(TINY)
    part.replace(path)  # whole at every moment: another process may be reading it
    return path


@pytest.fixture(scope="session")
def tiny_entry(tiny_suite, shared) -> Path:
    """The signed entry of a finished run of the tiny suite, its files beside it.

    Tests read it; who changes anything takes `entry`, a copy.
    """
    return made_once(shared, "tiny-entry", lambda: finished_run(tiny_suite, shared / "out"))


@pytest.fixture
def entry(tiny_entry, tmp_path) -> Path:
    """A copy of `tiny_entry` with its files."""
    folder = tmp_path / "copied" / tiny_entry.parent.name
    shutil.copytree(tiny_entry.parent, folder)
    return folder / tiny_entry.name


@pytest.fixture
def fresh(tiny_entry, tmp_path) -> Path:
    """A folder with nothing but the plan and the cohorts of the tiny run."""
    return planned_copy(tiny_entry.parent, tmp_path)


@pytest.fixture
def submitted(entry) -> Path:
    """`entry`, signed by SUBMITTER."""
    assert resign(entry, lambda statement: None, SUBMITTER).accepted
    return entry


@pytest.fixture
def trust(tmp_path) -> Path:
    """The path of a trust file that knows SUBMITTER and CURATOR, each for what it does."""
    return trust_of(tmp_path, reevaluator=CURATOR)
