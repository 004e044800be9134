"""Keys: who may speak, and what becomes of what a stolen key said."""

import pytest

from helpers.boards import digest, role, root_of
from helpers.ledger import KEYS, MAINTAINERS, NEW, SUBMITTER, TWO, refused, state
from leaderboard.formats.log.leaf import KeychangeLeaf, ReevalLeaf, RevokeLeaf

# -- 13: re-evaluations --


@pytest.mark.parametrize(
    ("key", "level"), [(SUBMITTER, "L1"), (NEW, "L1"), (KEYS.judge, "L3"), (KEYS.runner, "L1")]
)
def test_a_reevaluation_by_a_key_without_the_role_is_refused(board, key, level):
    entry = board.entry(board.register())
    board.append(ReevalLeaf, [key], key=key.key_id, entry=entry, level=level, measured=digest("m"))
    refused(board, "is none of the")


def test_a_reevaluation_in_anothers_name_is_refused(board):
    entry = board.entry(board.register())
    board.append(
        ReevalLeaf,
        [SUBMITTER],
        key=KEYS.judge.key_id,
        entry=entry,
        level="L1",
        measured=digest("m"),
    )
    refused(board, "did not sign it")


@pytest.mark.parametrize("key", [KEYS.judge, KEYS.logs[0], MAINTAINERS[0]])
def test_a_key_of_the_root_is_no_submitters(board, key):
    board.admit(key)
    refused(board, "has or had a role")


def test_a_submitters_key_gets_no_role(board):
    board.root(root_of(KEYS, version=2, reevaluators=role([SUBMITTER])), TWO)
    refused(board, "is a submitter's and gets no role")


# -- 20: stolen keys --


def test_a_revoked_key_speaks_no_longer_and_what_came_before_stays_valid(board):
    early = board.entry(board.register())
    since = len(board.leaves)
    late = board.entry(board.register(draft="stolen"), name="stolen")
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=since)
    told = state(board)
    assert not told.entries[early].disputed
    assert told.entries[late].disputed
    board.register(draft="third")
    refused(board, "is revoked")


@pytest.mark.parametrize(("since", "disputed"), [(3, True), (4, True), (5, False)])
def test_a_revocation_counts_from_its_position_on(board, since, disputed):
    """Leaf 3 is the registration, leaf 4 its entry."""
    entry = board.entry(board.register())
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=since)
    assert state(board).entries[entry].disputed == disputed


def test_an_entry_is_disputed_with_its_registration(board):
    """The key that registered was stolen, and replaced before the entry."""
    registered = board.register()
    board.append(
        KeychangeLeaf,
        [SUBMITTER, NEW],
        key=SUBMITTER.key_id,
        public_key=NEW.public_hex,
        recovered=False,
    )
    entry = board.entry(registered, NEW)
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=registered)
    assert state(board).entries[entry].disputed


def test_a_key_is_not_revoked_from_the_future_or_twice(board):
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=99)
    refused(board, "later than this leaf")
    board.leaves.pop()
    board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=2)
    board.append(RevokeLeaf, TWO, reason="again", key=SUBMITTER.key_id, since=2)
    refused(board, "revoked from that position on already")


def test_a_thief_cannot_change_the_key_alone(board):
    for signers in ([NEW], [SUBMITTER], [NEW, TWO[0]]):
        board.append(
            KeychangeLeaf,
            signers,
            key=SUBMITTER.key_id,
            public_key=NEW.public_hex,
            recovered=len(signers) == 2,
        )
        refused(board, "did not sign it|of 2 signatures of maintainers")
        board.leaves.pop()


def test_a_key_that_was_somebodys_is_not_taken_again(board):
    board.admit(SUBMITTER)
    refused(board, "is or was a submitter's")
