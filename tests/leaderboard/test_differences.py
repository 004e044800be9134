"""Two entries side by side: what counts, and what stands beside it."""

from helpers.statements import stated
from leaderboard.pages.differences import Beside, difference_table, differences
from leaderboard.statistics.scores import scored

OLD = scored([stated("mst", seed, 100.0 + seed) for seed in range(3)])


def test_scores_are_compared_and_paired_by_seed():
    new = scored([stated("mst", seed, 110.0 + seed) for seed in range(3)])
    (row,) = differences(OLD, new)
    assert (row.a, row.b, row.difference, row.pairs, row.seeds) == (101.0, 111.0, 10.0, 3, (3, 3))
    assert row.beside[0] == Beside(0, 101.0, 101.0)
    text = difference_table([row])
    assert "finished only" not in text
    assert "claimed" not in text


def test_a_failed_run_counts_as_the_floor():
    """One that diverged was once left out, so that the others looked better."""
    new = [stated("mst", 0, 150.0), stated("mst", 1, 150.0)]
    new.append(stated("mst", 2, None, status="failed"))
    (row,) = differences(OLD, scored(new))
    assert (row.b, row.difference, row.pairs) == (100.0, -1.0, 3)
    assert row.beside[1] == Beside(1, 150.0, 150.0)
    header, _, line = difference_table([row]).splitlines()
    assert "b, finished only" in header
    assert "0 and 1" in line
    assert "150.0" in line


def test_scores_measured_anew_are_compared_beside_the_claims():
    fresh = {f"dog-run/mst/{seed}": 50.0 for seed in range(3)}
    new = scored([stated("mst", seed, 999.0) for seed in range(3)], fresh)
    (row,) = differences(OLD, new)
    assert row.b == 50.0
    assert row.beside[1].claimed == 999.0
    header, _, line = difference_table([row]).splitlines()
    assert "b, claimed" in header
    assert "999.0" in line


def test_groups_of_one_side_alone_are_left_out():
    assert differences(OLD, scored([stated("sst", 0, 1.0)])) == []
    assert difference_table([]) != ""


def test_evidence_does_not_depend_on_how_far_the_scores_of_one_side_scatter():
    """Twice the spread of one side's own scores was once its scale, which makes no e value."""
    near = scored([stated("mst", seed, 100.0 + seed) for seed in range(3)])
    far = scored([stated("mst", seed, 100.0 + 9.0 * seed) for seed in range(3)])
    rows = []
    for old in (near, far):
        new = scored([stated("mst", run.seed, run.score + 100.0) for run in old])
        rows += differences(old, new)
    assert rows[0].evidence == rows[1].evidence > 1.0, "every pair differs by 100 of 1000"
