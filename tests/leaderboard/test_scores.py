"""What every planned run counts as."""

import pytest

from helpers.statements import stated
from leaderboard.formats.catalogue import return_range
from leaderboard.statistics.scores import claims, counted, counting, finished, scored

RUNS = [
    stated("mst", 0, 10.0),
    stated("mst", 1, None, status="failed"),
    stated("mst", 2, None, status="missing"),
]


def test_a_run_without_a_score_counts_as_the_lowest_return_of_its_task():
    floor, _ = return_range("dog-run")
    runs = scored(RUNS)
    assert counting(runs) == [10.0, floor, floor]
    assert [counted(run) for run in RUNS] == [10.0, floor, floor]
    assert finished(runs) == [10.0]
    assert [run.lost for run in runs] == [False, True, True]
    assert [run.missing for run in runs] == [False, False, True]


def test_a_run_that_is_still_to_come_does_not_count_but_a_failed_one_does():
    runs = scored(RUNS, under_way=True)
    assert [run.counted for run in runs] == [10.0, return_range("dog-run")[0], None]
    assert not runs[2].missing


def test_a_score_measured_anew_counts_and_the_claim_is_kept():
    runs = scored(RUNS, {"dog-run/mst/0": 4.0})
    assert runs[0].counted == 4.0
    assert claims(runs) == [10.0]
    assert runs[1].score is None


def test_a_finished_run_that_was_not_measured_is_an_error():
    """Half of the runs measured anew and half claimed would be no comparison."""
    with pytest.raises(KeyError):
        scored(RUNS, {"dog-run/mst/9": 4.0})
