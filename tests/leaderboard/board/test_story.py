"""A story that the rules allow."""

from helpers.boards import DAY, digest, role, root_of
from helpers.ledger import KEYS, NEW, SUBMITTER, TWO, refused, state
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.leaf import (
    AmendLeaf,
    KeychangeLeaf,
    ReevalLeaf,
    RegisterLeaf,
    RetractLeaf,
    RevealLeaf,
    RevokeLeaf,
)
from leaderboard.formats.registration import blinded


def test_a_story_is_told_by_its_leaves(board):
    registered = board.register()
    entry = board.entry(registered)
    board.append(
        ReevalLeaf,
        [KEYS.judge],
        key=KEYS.judge.key_id,
        entry=entry,
        level="L1",
        measured=digest("m"),
    )
    board.append(
        ReevalLeaf,
        [KEYS.runner],
        key=KEYS.runner.key_id,
        entry=entry,
        level="L3",
        measured=digest("m"),
    )
    board.append(AmendLeaf, [SUBMITTER], key=SUBMITTER.key_id, entry=entry)
    second = board.register(draft="another")
    board.append(RetractLeaf, [SUBMITTER], key=SUBMITTER.key_id, target=second)
    board.suite("retired", successor=2)
    board.suite(version=2, plan="changed")

    told = state(board)
    assert told.size == len(board.leaves)
    assert told.registrations[registered].entry == entry
    assert told.registrations[second].retracted == second + 1
    assert told.entries[entry].reevals == [entry + 1, entry + 2]
    assert told.entries[entry].amendments == [entry + 3]
    assert told.suites["dmc-hard", 1].state == "retired"
    assert not told.entries[entry].disputed


def test_a_root_is_replaced_by_both_thresholds(board):
    fresh = [one_use_key() for _ in range(3)]
    successor = root_of(KEYS, version=2, root=role(fresh, 2), maintainers=role(fresh, 2))
    board.root(successor, [*TWO, *fresh[:2]])
    board.admit(NEW, fresh[:2])
    told = state(board)
    assert [root.version for _, root in told.roots] == [1, 2]
    assert told.root_at(3).version == 1 and told.root_at(4).version == 2


def test_a_key_is_changed_by_both_keys_and_the_new_one_goes_on(board):
    registered = board.register()
    board.append(
        KeychangeLeaf,
        [SUBMITTER, NEW],
        key=SUBMITTER.key_id,
        public_key=NEW.public_hex,
        recovered=False,
    )
    entry = board.entry(registered, NEW)
    assert state(board).entries[entry].registration.member.public_key == NEW.public_hex
    board.register(draft="another")
    refused(board, f"was replaced by {NEW.key_id[:16]}")


def test_a_lost_key_is_recovered_by_maintainers(board):
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=3)
    board.append(
        KeychangeLeaf,
        [*TWO, NEW],
        key=SUBMITTER.key_id,
        public_key=NEW.public_hex,
        recovered=True,
    )
    board.register(NEW)
    assert state(board).members[NEW.key_id].recovered


def test_a_blinded_plan_is_revealed_before_its_entry(board):
    salt, draft = digest("salt"), digest("draft")
    hidden = board.register(draft="x", blinded=True)
    board.leaves.pop()
    registered = board.append(
        RegisterLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        suite="dmc-hard",
        version=1,
        draft=blinded(salt, draft),
        image=digest("image"),
        blinded=True,
    )
    assert registered == hidden and state(board).registrations[registered].draft is None
    board.append(
        RevealLeaf,
        [SUBMITTER],
        key=SUBMITTER.key_id,
        registration=registered,
        draft=draft,
        salt=salt,
    )
    board.entry(registered)
    assert state(board).registrations[registered].draft == draft


def test_a_plan_may_be_registered_again_once_it_is_abandoned(board):
    registered = board.register()
    board.at += 91 * DAY
    again = board.register()
    told = state(board)
    assert told.abandoned(told.registrations[registered], told.at)
    assert not told.abandoned(told.registrations[again], told.at)


def test_maintainers_retract_with_a_reason(board):
    entry = board.entry(board.register())
    board.append(RetractLeaf, TWO, reason="the mask was stale", key=None, target=entry)
    assert state(board).entries[entry].retracted[0] == entry + 1
