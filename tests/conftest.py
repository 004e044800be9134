"""A finished run of a tiny suite, made once for all tests."""

import os

os.environ.setdefault("OPENBLAS_CORETYPE", "Nehalem")  # before numpy is loaded: see envs/oracle.py

import fcntl
import importlib.util
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)

TINY = """
suite: tiny
version: 1
description: seconds of CartPole for the tests
tasks: [cartpole-swingup]
regimes: [dense, sst, dst, mst]
seeds: 1
environment_steps: 240
settings: {width: 16, zs_dim: 16, za_dim: 8, zsa_dim: 16, batch_size: 16, warmup: 40, target_cycle: 10}
sparsity: {interval: 10}
evaluation: {every: 60, episodes: 2, final_episodes: 2, environments: 2}
"""


def chromium():
    """The path of a browser for the tests marked `browser`, or None if they cannot run here."""
    driver = importlib.util.find_spec("playwright")
    return driver and (shutil.which("chromium") or shutil.which("chromium-browser"))


def image():
    """The image that the tests marked `container` run, or None if they cannot run here."""
    return os.environ.get("MST_BENCH_TEST_IMAGE")


@cache
def engine():
    """The container engine."""
    import docker

    return docker.from_env(timeout=300)


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
        terminalreporter.write_line("Nothing was learned on a GPU: tests/test_cuda.py needs a CUDA device.")
    if chromium() is None:
        terminalreporter.write_line("The report was not opened in a browser: those tests need chromium, Debian's package.")
    if image() is None:
        terminalreporter.write_line("The image was not run: those tests need MST_BENCH_TEST_IMAGE, an image of `make image`.")


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
    """The signed entry of a finished run of the tiny suite, its files beside it. Copy it before changing anything."""
    from harness.run import Request, execute
    from leaderboard.formats.keys import one_use_key

    made = shared / "tiny-entry"
    with open(shared / "tiny-entry.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first process makes it, the others find it
        if not made.exists():
            document = execute(Request(str(tiny_suite), shared / "out", executor="inline"), one_use_key())
            made.write_text(document["entry"])
    return Path(made.read_text())
