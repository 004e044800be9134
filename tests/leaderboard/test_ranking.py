"""Rank intervals, by hand and beside the test of two rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leaderboard.statistics.ranking import (
    Contender,
    RankInterval,
    pairs_of,
    rank_intervals,
    separated,
)
from leaderboard.statistics.stats import difference

FIVE = [1.0, 2.0, 3.0, 4.0, 5.0]


def moved(by, registrations=1):
    """A row of one task whose seeds are FIVE, moved."""
    return Contender([[score + by for score in FIVE]], registrations)


def places(rows):
    return [(interval.best, interval.worst) for interval in rank_intervals(rows)]


def test_equal_rows_share_all_places():
    assert places([moved(0.0)] * 4) == [(1, 4)] * 4


def test_a_row_far_above_is_first_and_the_others_share_the_rest():
    assert places([moved(0.0), moved(100.0), moved(0.1)]) == [(2, 3), (1, 1), (2, 3)]


def test_a_chain_of_overlaps_merges_nothing():
    """A ties with B and B with C, and C is still below A."""
    assert places([moved(3.5), moved(1.75), moved(0.0)]) == [(1, 2), (1, 3), (2, 3)]


def test_a_table_of_one_row_has_one_place():
    assert rank_intervals([moved(0.0)]) == [RankInterval(1, 1)]
    assert rank_intervals([]) == []


def test_a_row_that_was_registered_often_must_be_further_ahead():
    assert places([moved(3.5), moved(0.0)]) == [(1, 1), (2, 2)]
    assert places([moved(3.5, registrations=20), moved(0.0)]) == [(1, 2), (1, 2)]


def test_registering_often_does_not_keep_a_row_from_being_below():
    assert places([moved(3.5), moved(0.0, registrations=20)]) == [(1, 1), (2, 2)]


def test_four_seeds_are_no_contender():
    with pytest.raises(ValueError, match="fewer than 5 seeds"):
        Contender([FIVE, FIVE[:4]])
    with pytest.raises(ValueError, match="at least once"):
        moved(0.0, registrations=0)


def test_rows_that_do_not_scatter_are_ordered_by_the_chance_of_their_order():
    """Five equal scores beside five others: one of 252 orders, twice for two sides."""
    flat = [Contender([[1.0] * 5]), Contender([[2.0] * 5])]
    _, _, p = pairs_of(flat)
    assert p.tolist() == pytest.approx([2 / 252])
    assert places(flat) == [(2, 2), (1, 1)]
    assert places([flat[0], flat[0]]) == [(1, 2), (1, 2)]


score = st.integers(-4000, 4000).map(lambda quarter: quarter / 4)
scores = st.lists(score, min_size=5, max_size=12)
cells = st.tuples(scores, scores)


@settings(max_examples=60, deadline=None)
@given(st.lists(cells, min_size=2, max_size=5))
def test_the_p_value_of_a_pair_is_that_of_the_difference_of_two_rows(table):
    rows = [Contender(row) for row in table]
    for upper, lower, p in zip(*pairs_of(rows), strict=True):
        test = difference(rows[upper].cells, rows[lower].cells)
        if test.high > test.low:
            assert p == pytest.approx(test.p, rel=1e-6, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(cells, min_size=1, max_size=6), st.randoms())
def test_the_order_in_which_rows_come_changes_no_interval(table, random):
    rows = [Contender(row) for row in table]
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = rank_intervals([rows[index] for index in order])
    assert [shuffled[order.index(index)] for index in range(len(rows))] == rank_intervals(rows)


@settings(max_examples=60, deadline=None)
@given(st.lists(cells, min_size=2, max_size=6))
def test_intervals_lie_within_the_table_and_no_two_rows_are_above_each_other(table):
    rows = [Contender(row) for row in table]
    above = separated(rows)
    intervals = rank_intervals(rows)
    assert not np.any(above & above.T)
    for row, interval in enumerate(intervals):
        assert 1 <= interval.best <= interval.worst <= len(rows), row
