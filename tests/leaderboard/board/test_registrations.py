"""Plans, entries and suites: what belongs to others, was there before, or comes too late."""

import pytest

from helpers.boards import DAY, digest
from helpers.ledger import KEYS, MAINTAINERS, SUBMITTER, refused, state
from leaderboard.formats.log.leaf import RegisterLeaf, RetractLeaf, RevealLeaf
from leaderboard.formats.registration import blinded

# -- 7, 8: what belongs to others, or was there before --


def test_another_submitters_registration_is_not_used(board):
    board.admit(KEYS.other)
    board.entry(board.register(), KEYS.other)
    refused(board, "something of another submitter")


def test_one_entry_a_registration(board):
    registered = board.register()
    board.entry(registered)
    board.entry(registered, name="second")
    refused(board, "is the entry of that registration")


def test_an_entry_is_not_entered_twice(board):
    board.entry(board.register())
    board.entry(board.register(draft="another"), policies=digest("other policies"))
    refused(board, "entered before")


def test_the_same_runs_under_a_second_key_are_refused(board):
    board.admit(KEYS.other)
    board.entry(board.register())
    registered = board.register(KEYS.other)
    board.entry(registered, KEYS.other, name="copied", policies=digest("policies of entry"))
    refused(board, "entered before")


def test_a_statement_speaks_once(board):
    board.register()
    board.append_raw(board.leaves[-1])
    refused(board, "statement was logged before")


def test_a_plan_is_registered_once_at_a_time(board):
    """Whoever registers it again and again could take the luckiest seeds."""
    board.register()
    board.register(image=digest("another image"))
    refused(board, "leaf 3 is an open registration of the same plan")


def test_a_revealed_plan_counts_as_registered(board):
    board.register()
    salt = digest("salt")
    hidden = board.append(
        RegisterLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        suite="dmc-hard",
        version=1,
        draft=blinded(salt, digest("draft")),
        image=digest("image"),
        blinded=True,
    )
    board.append(
        RevealLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        registration=hidden,
        draft=digest("draft"),
        salt=salt,
    )
    refused(board, "open registration of the same plan")


def test_a_blinded_plan_has_no_entry_before_it_is_revealed(board):
    board.entry(board.register(blinded=True))
    refused(board, "is blinded: reveal it first")


def test_a_reveal_of_another_plan_is_refused(board):
    hidden = board.register(blinded=True)
    board.append(
        RevealLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        registration=hidden,
        draft=digest("another"),
        salt=digest("salt"),
    )
    refused(board, "announced another plan")


def test_an_entry_after_the_deadline_is_refused(board):
    registered = board.register()
    board.at += 91 * DAY
    board.entry(registered)
    refused(board, "is abandoned: its deadline is over")


def test_an_entry_in_the_last_second_is_in_time(board):
    registered = board.register()
    deadline = board.at + 90 * DAY
    board.entry(registered, at=deadline)
    assert state(board).registrations[registered].entry == registered + 1
    board.leaves.pop()
    board.entry(registered, at=deadline + 1)
    refused(board, "is abandoned")


@pytest.mark.parametrize("target", [0, 1, 2, 99])
def test_an_entry_of_no_registration_is_refused(board, target):
    board.entry(target)
    refused(board, f"leaf {target} is no registration")


def test_a_retracted_registration_has_no_entry(board):
    registered = board.register()
    board.append(RetractLeaf, [SUBMITTER], key=SUBMITTER.key_id, target=registered)
    board.entry(registered)
    refused(board, "retracted the registration")


# -- 27: suites --


def test_a_retired_suite_takes_no_registration_and_names_its_successor(board):
    board.suite("retired", successor=2)
    board.register()
    refused(board, r"version 1 is retired \(successor: version 2\)")


@pytest.mark.parametrize(("suite", "version"), [("dmc-hard", 2), ("dmc-easy", 1)])
def test_a_suite_that_was_never_opened_takes_no_registration(board, suite, version):
    board.register(suite=suite, version=version)
    refused(board, "was never opened")


def test_a_suite_is_opened_once_and_keeps_its_plan(board):
    board.suite(signers=MAINTAINERS[1:])
    refused(board, "was opened before")
    board.leaves.pop()
    board.suite("retired", plan="changed")
    refused(board, "has another plan")
