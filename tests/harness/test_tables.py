"""`make tables`: what verifiers know of this version is what this version is."""

import pytest

from harness.planning.making import make_plan
from harness.planning.reader import load
from harness.planning.tables import tables
from harness.suites import shipped

TABLES = tables()


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_a_table_is_what_make_tables_writes(path):
    """A suite whose plan changes without a new version would take its old entries along."""
    assert path.read_bytes() == TABLES[path], "give `make tables`"


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_suite_bears_its_name(name):
    assert make_plan(load(name)).suite.name == name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ((), "quick"),
        (("seeds=2",), "quick"),
        (("description=mine",), "quick"),
        (("seeds=3",), "own-quick"),
        (("settings.actor_lr=0.01",), "own-quick"),
        (("evaluation.fresh_episodes=20",), "own-quick"),
        (("version=9",), "own-quick"),
        (("suite=slow",), "own-slow"),
        (("claims=[O1]",), "own-quick"),
    ],
)
def test_a_changed_suite_is_somebodys_own(overrides, name):
    changes = tuple(f"--set {override}" for override in overrides)
    suite = make_plan(load("quick", overrides), changes).suite
    assert suite.name == name
    assert suite.changes == (() if name == "quick" else changes)
