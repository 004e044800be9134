"""What an attacker starts from: a real entry of seconds, and a key of his own."""

import pytest

from helpers.forgery import Forgery
from helpers.runs import finished_run, made_once


@pytest.fixture
def forgery(tiny_entry, tmp_path):
    """A copy of a real entry of one seed and four regimes, to be forged."""
    return Forgery(tiny_entry, tmp_path)


@pytest.fixture(scope="session")
def two_seeds(tiny_suite, shared):
    """The entry of a finished run of two regimes and two seeds: what a gate compares."""

    def make():
        overrides = ("seeds=2", "regimes=[dense, mst]")
        return finished_run(tiny_suite, shared / "two-seeds", *overrides, members=4)

    return made_once(shared, "two-seeds-entry", make)


@pytest.fixture
def pair(two_seeds, tmp_path):
    """A baseline and a candidate, both to be forged."""
    sides = (tmp_path / "baseline", tmp_path / "candidate")
    return [Forgery(two_seeds, side) for side in sides]
