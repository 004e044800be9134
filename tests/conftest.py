"""A finished run of a tiny suite, made once for all tests."""

import os

os.environ.setdefault("OPENBLAS_CORETYPE", "Nehalem")  # before numpy is loaded: see envs/oracle.py

import importlib.util
import shutil
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
environment_steps: 400
settings: {width: 16, zs_dim: 16, za_dim: 8, zsa_dim: 16, batch_size: 16, warmup: 60, target_cycle: 10}
sparsity: {interval: 20}
evaluation: {every: 100, episodes: 2, final_episodes: 4, environments: 2}
"""


def chromium():
    """The path of a browser for the tests marked `browser`, or None if they cannot run here."""
    driver = importlib.util.find_spec("playwright")
    return driver and (shutil.which("chromium") or shutil.which("chromium-browser"))


def pytest_collection_modifyitems(items):
    """Without a browser its tests do not run, unless they are required to."""
    if chromium() is None and os.environ.get("MST_BENCH_BROWSER") != "required":
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no chromium"))


def pytest_terminal_summary(terminalreporter):
    """One line says so."""
    if chromium() is None:
        terminalreporter.write_line("The report was not opened in a browser: those tests need chromium, Debian's package.")


@pytest.fixture(scope="session")
def tiny_suite(tmp_path_factory):
    """The path of a suite file that takes seconds."""
    path = tmp_path_factory.mktemp("suite") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def tiny_entry(tiny_suite, tmp_path_factory) -> Path:
    """The signed entry of a finished run of the tiny suite, its files beside it. Copy it before changing anything."""
    from harness.run import Request, execute
    from leaderboard.keys import one_use_key

    out = tmp_path_factory.mktemp("out")
    document = execute(Request(str(tiny_suite), out, executor="inline", device="cpu"), one_use_key())
    return Path(document["entry"])
