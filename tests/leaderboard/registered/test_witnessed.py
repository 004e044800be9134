"""The order of a registered plan: its leaf was seen before its seeds could be known.

Tests of a row of the threat table name its number.
"""

import pytest

from helpers.beacons import CHAIN, round_of
from helpers.forge import check_of
from helpers.logs import TIME
from helpers.registered import detail, refused, statuses
from leaderboard.formats.document import DocumentError


def test_row_2_a_plan_that_was_registered_when_its_seeds_were_known_is_not_ranked(registered):
    """Train first, register when lucky: the quorum saw the leaf after the round."""
    verdict = registered.register().witness(before=-60).claim().sign().verdict()
    assert statuses(verdict) == ["passed", "unknown", "passed"]
    assert "60 s after the round" in detail(verdict, "witnessed") and not verdict.ranked


def test_row_2_a_plan_that_was_witnessed_in_the_second_of_its_round_is_not_ranked(registered):
    assert not registered.register().witness(before=0).claim().sign().verdict().ranked


def test_row_2_one_witness_is_no_quorum(registered):
    verdict = registered.register().witness(witnesses=(0,)).claim().sign().verdict()
    assert statuses(verdict) == ["passed", "unknown", "passed"]
    assert "no quorum" in detail(verdict, "witnessed")


def test_row_2_what_witnesses_handed_in_later_counts_from_the_board(registered):
    registered.register().witness(witnesses=()).claim().sign()
    assert not registered.verdict().ranked
    registered.witness()
    assert registered.verdict().ranked


def test_row_3_a_backdated_leaf_shows_in_the_times_of_its_witnesses(registered):
    """The board says that it logged the leaf long ago, and so draws a round that it knows."""
    registered.register(at=TIME + 10)
    registered.board.sign(witnesses=(0, 1), time=TIME + 90 * 86_400)
    verdict = registered.claim().sign().verdict()
    assert check_of(verdict, "beacon").status == "passed"
    assert check_of(verdict, "witnessed").status == "unknown" and not verdict.ranked


def test_row_3_a_leaf_from_before_the_one_above_it_makes_the_log_invalid(registered):
    registered.register(at=TIME - 1)
    with pytest.raises(DocumentError, match="logged before the leaf above it"):
        registered.board.log()


def test_row_4_each_nonce_draws_other_seeds_only_a_later_round_can_tell(registered):
    """The round comes after the leaf, so no nonce can be tried: here one leaf and two rounds, one
    of which nobody knew when it was logged."""
    registered.register().witness()
    known = round_of(CHAIN.round_from(registered.leaf.at - 60))
    registered.claim(known)
    refused(registered.sign().verdict(), "beacon", f"is round {known.round}, expected round")


def test_row_5_a_second_registration_of_the_same_plan_makes_the_log_invalid(honest):
    honest.register()
    with pytest.raises(DocumentError, match="leaf 4 is an open registration of the same plan"):
        honest.board.log()
