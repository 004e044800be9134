"""Settings, statements and outcomes cannot be changed once they are there."""

import dataclasses
import importlib
import inspect
import pkgutil

import pytest


def dataclasses_of(package):
    """Every dataclass that a module of a package defines."""
    folder = importlib.import_module(package)
    for found in pkgutil.walk_packages(folder.__path__, f"{package}."):
        module = importlib.import_module(found.name)
        for _, thing in inspect.getmembers(module, dataclasses.is_dataclass):
            if thing.__module__ == module.__name__:
                yield thing


@pytest.mark.parametrize("package", ["agents", "envs", "leaderboard"])
def test_nobody_changes_a_dataclass_that_was_made(package):
    filled_in = {
        "leaderboard.board.state.Board",
        "leaderboard.board.state.LoggedEntry",
        "leaderboard.board.state.Member",
        "leaderboard.board.state.Registration",
        "leaderboard.verification.checks.Entry",
        "leaderboard.verification.checks.Verdict",
        "leaderboard.verification.files.SignedFiles",
        "leaderboard.verification.submission.Submission",
    }
    changeable = {
        f"{one.__module__}.{one.__qualname__}"
        for one in dataclasses_of(package)
        if not one.__dataclass_params__.frozen
    }
    assert changeable <= filled_in, "these are filled in check by check, or leaf by leaf"
