"""What an attacker starts from: a real entry of seconds, and a key of his own."""

import pytest

from helpers.forgery import Forgery
from helpers.runs import finished_run, made_once

EPISODES = ("evaluation.final_episodes=5", "evaluation.fresh_episodes=10")
"""So many that a claim of another score is no chance."""
ENVIRONMENTS = ("evaluation.episodes=5", "evaluation.environments=5")


@pytest.fixture(scope="session")
def real_entry(tiny_suite, shared):
    """The signed entry of a real run: one seed of four regimes."""

    def make():
        return finished_run(tiny_suite, shared / "attacked", *EPISODES, *ENVIRONMENTS)

    return made_once(shared, "attacked-entry", make)


@pytest.fixture
def forgery(real_entry, tmp_path):
    """A copy of a real entry, to be forged."""
    return Forgery(real_entry, tmp_path)


@pytest.fixture(scope="session")
def two_seeds(tiny_suite, shared):
    """The entry of a finished run of two regimes and two seeds: what a gate compares."""

    def make():
        overrides = ("seeds=2", "regimes=[dense, mst]")
        return finished_run(tiny_suite, shared / "attacked", *overrides, members=4)

    return made_once(shared, "two-seeds-entry", make)


@pytest.fixture
def pair(two_seeds, tmp_path):
    """A baseline and a candidate, both to be forged."""
    return [Forgery(two_seeds, tmp_path / side) for side in ("baseline", "candidate")]
