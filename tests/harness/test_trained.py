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
    entry = verified(tiny_entry.parent)
    again = list(cohorts(entry.plan, entry.runs))
    assert {run.members for run in entry.runs} == {len(cohort.places) for cohort in again}
    assert [run for cohort in again for run in cohort.runs] == identities(entry.runs)
    assert all(cohort.runs == cohort.places for cohort in again)


def test_each_run_is_in_a_cohort_of_the_size_that_it_states(tiny_entry):
    """Merged plans: parts of other --members used to be computed in the largest one's shape."""
    entry = verified(tiny_entry.parent)
    sizes = (1, 3, 1, 3)
    stated = [replace(run, members=size) for run, size in zip(entry.runs, sizes, strict=True)]
    first, second, third, fourth = identities(entry.runs)
    again = list(cohorts(entry.plan, stated))
    assert [cohort.runs for cohort in again] == [(first,), (third,), (second, fourth)]
    assert again[-1].places == (second, fourth, first)
    for run, size in zip(identities(entry.runs), sizes, strict=True):
        assert len(cohort_of(entry.plan, stated, run)) == size


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
    runs = identities(entry.runs)
    indices = [cohort_of(entry.plan, entry.runs, run).index(run) for run in runs]
    assert sorted(indices) == [0, 1, 2, 3]
    with Worker(patience=60.0) as worker:
        for run in entry.runs:
            episode = play(entry, run, 1, worker)
            assert episode.returned == episode.signed
