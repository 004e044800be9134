"""A finished run of a tiny suite, made once for all tests."""

import os

os.environ.setdefault("OPENBLAS_CORETYPE", "Nehalem")  # before numpy is loaded: see envs/oracle.py

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
