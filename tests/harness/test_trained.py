"""The cohorts that an entry's runs are computed in again: their size and their places."""

from dataclasses import replace

import pytest

from envs.worker import Worker
from harness.entries.episode import play
from harness.entries.trained import cohort_of, cohorts
from harness.entries.verified import verified
from helpers.runs import finished_run
from helpers.suites import TINY
from leaderboard.formats.run import Run

ODD = "width: 67, zs_dim: 53, za_dim: 7, zsa_dim: 61"


def identities(runs):
    return [Run(*run.identity) for run in runs]


def test_the_cohorts_are_those_that_trained(tiny_entry):
    """Four members each, in the plan's order: seeds under each regime."""
    entry = verified(tiny_entry.parent)
    again = list(cohorts(entry.plan, entry.runs))
    assert {run.members for run in entry.runs} == {len(places) for places in again}
    assert [run for places in again for run in places] == identities(entry.runs)
    for run in entry.runs:
        places = cohort_of(entry.plan, entry.runs, run)
        assert places in again
        assert Run(*run.identity) in places


def test_a_run_of_another_number_of_members_comes_first_among_so_many(tiny_entry):
    """As in a plan that was merged, or whose --members was not the same for all."""
    entry = verified(tiny_entry.parent)
    last = entry.runs[-1]
    alone = replace(last, members=1)
    assert cohort_of(entry.plan, entry.runs, alone) == (Run(*last.identity),)
    pair = replace(last, members=2)
    first, second = cohort_of(entry.plan, entry.runs, pair)
    assert first == Run(*last.identity) != second


@pytest.fixture(scope="module")
def odd_entry(tmp_path_factory):
    """Networks and observations of such sizes that no two members begin alike in memory."""
    folder = tmp_path_factory.mktemp("odd")
    suite = folder / "odd.yaml"
    text = TINY.replace("width: 16, zs_dim: 16, za_dim: 8, zsa_dim: 16", ODD)
    suite.write_text(text.replace("cartpole-swingup", "walker-walk"))
    assert ODD in suite.read_text()
    return finished_run(suite, folder / "out")


def test_every_run_repeats_a_claimed_episode_at_its_place_to_the_bit(odd_entry):
    """On an AMD EPYC sums round by where a row begins: computed at the first place, for the first
    environment, every one of these episodes came out otherwise."""
    entry = verified(odd_entry.parent)
    places = [cohort_of(entry.plan, entry.runs, run) for run in entry.runs]
    indices = [row.index(Run(*run.identity)) for row, run in zip(places, entry.runs, strict=True)]
    assert sorted(indices) == [0, 1, 2, 3]
    with Worker(patience=60.0) as worker:
        for run in entry.runs:
            episode = play(entry, run, 1, worker)
            assert episode.returned == episode.signed
