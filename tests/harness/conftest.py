"""Finished runs that several files compare, merge and accept."""

import shutil

import pytest

from harness import run as harness_run
from harness.errors import Incomplete
from helpers.program import call
from helpers.runs import finished_run, made_once
from helpers.suites import TINY

TWO_REGIMES = "regimes=[dense, mst]"


@pytest.fixture(scope="session")
def three_seeds(tiny_suite, shared):
    """The folder of a finished run of the tiny suite: seeds 0, 1 and 2 of two regimes."""

    def make():
        return finished_run(
            tiny_suite, shared / "three-seeds", "seeds=3", TWO_REGIMES, members=6
        ).parent

    return made_once(shared, "three-seeds-folder", make)


@pytest.fixture(scope="session")
def later_seeds(tiny_suite, shared):
    """The same suite with the two seeds that come after them."""

    def make():
        overrides = ("seeds=2", "first_seed=3", TWO_REGIMES)
        return finished_run(tiny_suite, shared / "later-seeds", *overrides, members=6).parent

    return made_once(shared, "later-seeds-folder", make)


@pytest.fixture(scope="session")
def two_seeds(tiny_suite, shared):
    """The same suite with seeds 0 and 1 alone: as few as a comparison takes."""

    def make():
        overrides = ("seeds=2", TWO_REGIMES)
        return finished_run(tiny_suite, shared / "two-seeds", *overrides, members=6).parent

    return made_once(shared, "two-seeds-folder", make)


@pytest.fixture(scope="session")
def other_suite(shared):
    """The folder of a finished run of another suite, whose runs are longer."""

    def make():
        path = shared / "other.yaml"
        renamed = TINY.replace("suite: tiny", "suite: other").replace("sst, dst, ", "")
        longer = renamed.replace("environment_steps: 240", "environment_steps: 280")
        path.write_text(longer.replace("seeds: 1", "seeds: 2"))
        return finished_run(path, shared / "other-suite").parent

    return made_once(shared, "other-suite-folder", make)


@pytest.fixture
def old(three_seeds, tmp_path):
    """A copy of a finished run, to compare with."""
    return shutil.copytree(three_seeds, tmp_path / "old")


@pytest.fixture
def new(three_seeds, tmp_path):
    """Another copy of it: a candidate."""
    return shutil.copytree(three_seeds, tmp_path / "new")


@pytest.fixture
def requested(monkeypatch):
    """Runs `mst-bench run` with arguments and variables up to the request, and returns that."""
    requests = []

    def execute(request, key):
        requests.append(request)
        raise Incomplete("read far enough.")

    monkeypatch.setattr(harness_run, "execute", execute)

    def request_of(*arguments, **variables):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            assert call("run", *arguments).returncode == 3
        return requests.pop()

    return request_of
