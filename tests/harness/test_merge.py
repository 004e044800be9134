"""Merging entries of one experiment."""

import pytest

from harness.entries.merge import merge
from harness.errors import NonConforming, UserError
from harness.planning.plan import read_plan
from helpers.forge import forge_level
from leaderboard.formats.keys import one_use_key
from leaderboard.verification.verify import verify


def test_seeds_that_come_later_are_merged_into_the_plan_that_has_them_all(
    three_seeds, later_seeds, tmp_path
):
    folder = merge([three_seeds, later_seeds], tmp_path / "merged", one_use_key())
    assert verify(folder / "entry.dsse.json", complete=True).accepted
    plan = read_plan(folder / "plan.json")
    assert [run.seed for run in plan.runs] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert plan.suite.changes == ("own suite file",)

    again = merge([three_seeds, folder], tmp_path / "again", one_use_key())
    assert again.name == folder.name, "what both have is the same"


def test_other_experiments_and_changed_runs_are_not_merged(three_seeds, old, other_suite, tmp_path):
    with pytest.raises(NonConforming, match="only the same experiment is merged"):
        merge([three_seeds, other_suite], tmp_path / "merged", one_use_key())
    forge_level(old, 50.0)
    with pytest.raises(UserError, match="one of them was changed"):
        merge([three_seeds, old], tmp_path / "merged", one_use_key())
