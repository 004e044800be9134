"""Names of suites: only the plan of a shipped suite bears its name."""

import json
from dataclasses import replace

import pytest

from helpers.forge import check_of, failed, resign, restate
from leaderboard.formats import shipped
from leaderboard.formats.shipped import (
    ShippedPlan,
    check_named,
    claims_digest,
    named,
    shipped_plans,
)
from leaderboard.formats.suite import SUITE_SCHEMA, Claim, SuiteReference

CLAIM = Claim("O1", "mst is better", "ours", "headline", "mst", "dense", "score", "above", 0.05)
PLAN = "a" * 64
"""Digest of the plan of the suite that the tests ship."""
SUITE = SuiteReference(SUITE_SCHEMA, "steady", 2, (), (CLAIM,))


@pytest.fixture
def steady(monkeypatch):
    """Ships one suite: steady, version 2."""
    row = ShippedPlan(PLAN, claims_digest(SUITE.claims))
    monkeypatch.setattr(shipped, "shipped_plans", lambda: {"steady": {"2": row}})


@pytest.mark.usefixtures("steady")
def test_the_shipped_plan_bears_its_name():
    check_named(SUITE, PLAN)
    assert named(SUITE, PLAN) == SUITE
    spelt_out = replace(SUITE, changes=("--set seeds=10",))
    assert named(spelt_out, PLAN) == SUITE, "what changes nothing is no change"


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize(
    ("suite", "plan"),
    [
        (SUITE, "b" * 64),
        (replace(SUITE, claims=()), PLAN),
        (replace(SUITE, claims=(replace(CLAIM, rule="below"),)), PLAN),
        (replace(SUITE, version=3), PLAN),
        (replace(SUITE, name="other"), PLAN),
    ],
)
def test_any_other_plan_claims_version_or_name_is_somebodys_own(suite, plan):
    own = named(suite, plan)
    assert own == replace(suite, name=f"own-{suite.name}")
    assert named(own, plan) == own
    check_named(own, plan)
    with pytest.raises(ValueError, match=r"own-|does not know version 3 of steady"):
        check_named(suite, plan)


@pytest.mark.usefixtures("steady")
def test_a_shipped_suite_states_no_changes():
    with pytest.raises(ValueError, match="no changes"):
        check_named(replace(SUITE, changes=("--set seeds=1",)), PLAN)


# -- the same in an entry --


def rename(entry, name):
    """Signs an entry with another name of its suite; the verdict."""
    version = max(map(int, shipped_plans().get(name, "1")))
    renamed = {"name": name, "version": version}
    suite = json.loads((entry.parent / "suite.json").read_bytes()) | renamed
    change = restate(entry, "suite.json", json.dumps(suite).encode())

    def both(statement):
        change(statement)
        statement["predicate"]["suite"].update(renamed)

    return resign(entry, both)


@pytest.mark.parametrize("name", ["quick", "dmc-hard", "tiny", "Own-tiny"])
def test_a_plan_that_is_not_the_suites_does_not_bear_its_name(entry, name):
    """A plan of 1M steps once passed as suite quick."""
    verdict = rename(entry, name)
    assert failed(verdict) == "plan"
    assert "begins with own-" in verdict.checks[-1].detail


@pytest.mark.parametrize("name", ["own-quick", "own-another"])
def test_a_suite_of_ones_own_is_called_so(entry, name):
    verdict = rename(entry, name)
    assert verdict.accepted
    assert check_of(verdict, "plan").detail.endswith(f"own suite {name}: not one that is shipped")


@pytest.mark.parametrize("name", ["", ".", "..", "own-\x1b[2J", "own-../x", "own-\ud800", "a" * 65])
def test_a_name_that_is_none_is_refused(entry, name):
    verdict = rename(entry, name)
    assert failed(verdict) == "statement"
    assert verdict.checks[-1].detail.isprintable()


def test_a_lie_about_the_suite_beside_it_is_found(entry):
    def shipped_name(statement):
        statement["predicate"]["suite"].update(name="quick", changes=[])

    verdict = resign(entry, shipped_name)
    assert failed(verdict) == "plan"
    assert "are not those of suite.json" in verdict.checks[-1].detail
