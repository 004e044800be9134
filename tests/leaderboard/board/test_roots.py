"""The trust root, and what needs more than one maintainer."""

from dataclasses import asdict

import pytest

from harness.files import dump_json
from helpers.boards import DAY, new_board, role, root_of
from helpers.ledger import KEYS, MAINTAINERS, NEW, SUBMITTER, TWO, refused, state
from helpers.logs import ORIGIN, TIME
from leaderboard.board.repository import STATEMENTS
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.leaf import RetractLeaf, RevokeLeaf, parse_leaf
from leaderboard.formats.log.root import Role, Root, parse_root

# -- 19: the trust root --


def test_a_root_signed_by_one_of_two_is_refused(board):
    board.root(root_of(KEYS, version=2), MAINTAINERS[:1])
    refused(board, "1 of 2 signatures of root")


def test_a_root_needs_its_own_threshold_too(board):
    fresh = [one_use_key() for _ in range(3)]
    board.root(root_of(KEYS, version=2, root=role(fresh, 2)), [*TWO, fresh[0]])
    refused(board, "1 of 2 signatures of root, of the new version")


def test_a_root_needs_the_threshold_of_the_one_before(board):
    """Else whoever has new keys could take the board over."""
    fresh = [one_use_key() for _ in range(3)]
    successor = root_of(KEYS, version=2, root=role(fresh, 2), maintainers=role(fresh, 2))
    board.root(successor, [MAINTAINERS[0], *fresh])
    refused(board, "1 of 2 signatures of root, of the version before")


def test_an_old_root_is_refused(board):
    """gittuf CVE-2026-44544: an old policy was replayed."""
    board.root(root_of(KEYS, version=2), TWO)
    board.root(root_of(KEYS, version=1), TWO)
    refused(board, "expected version 3")


def test_a_skipped_root_is_refused(board):
    board.root(root_of(KEYS, version=3), TWO)
    refused(board, "expected version 2")


def test_a_root_of_another_origin_is_refused(board):
    board.root(root_of(KEYS, version=2, origin="example.org/other"), TWO)
    refused(board, f"keeps its origin, {ORIGIN}")


def test_a_changed_root_file_is_refused(board):
    (board.folder / "trust/1.root.json").write_bytes(dump_json(asdict(root_of(KEYS, delay=1))))
    with pytest.raises(DocumentError, match="another digest than its leaf says"):
        state(board)


def test_one_signature_twice_does_not_meet_a_threshold(board):
    """A second file with the same signature is named after the same key."""
    index = board.root(root_of(KEYS, version=2), MAINTAINERS[:1])
    statement = parse_leaf(board.leaves[index], "leaf").statement
    folder = board.folder / STATEMENTS / statement
    (only,) = folder.iterdir()
    (folder / f"{MAINTAINERS[1].key_id[:16]}.dsse.json").write_bytes(only.read_bytes())
    with pytest.raises(DocumentError, match="not named after the key"):
        state(board)


def test_a_key_under_two_names_is_refused_in_a_role():
    """go-tuf GHSA-3633-5h82-39pq: one key under two ids met a threshold of two."""
    with pytest.raises(ValueError, match="is listed 2 times"):
        role([MAINTAINERS[0], MAINTAINERS[0]], 2)


@pytest.mark.parametrize("doubled", ["log", "witnesses", "reevaluators", "runners"])
def test_a_key_has_one_role(doubled):
    changes = {doubled: role([MAINTAINERS[0]])}
    with pytest.raises(ValueError, match="has 2 roles"):
        root_of(KEYS, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"log": Role(0, ())}, "at least one key each"),
        ({"log": role(KEYS.logs, 2)}, "threshold of 1"),
        ({"version": 0}, "versions begin with 1"),
        ({"deadline": 60}, "a deadline comes after the delay"),
        ({"delay": -1}, "whole number"),
        ({"expires": 2**53}, "whole number"),
        ({"origin": "example org"}, "origin"),
    ],
)
def test_a_root_of_another_form_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        root_of(KEYS, **changes)


@pytest.mark.parametrize("threshold", [0, -1, 4])
def test_a_threshold_is_a_number_of_the_keys(threshold):
    with pytest.raises(ValueError, match="threshold"):
        role(MAINTAINERS, threshold)


def test_a_root_is_read_back_as_it_was_written():
    root = root_of(KEYS)
    assert parse_root(dump_json(asdict(root)), "root") == root
    assert isinstance(root, Root)


def test_nothing_but_a_root_is_logged_once_the_root_expired(board):
    board.at = TIME + 4000 * DAY
    board.register()
    refused(board, "the trust root has expired")
    board.leaves.pop()
    board.root(root_of(KEYS, version=2, expires=TIME + 9000 * DAY), TWO)
    board.register()
    assert state(board).size == 5


def test_a_root_that_expired_before_it_came_is_refused(board):
    board.root(root_of(KEYS, version=2, expires=TIME), TWO)
    refused(board, "has expired already")


def test_a_registration_with_an_entry_is_retracted_by_its_entry(board):
    registered = board.register()
    board.entry(registered)
    board.append(RetractLeaf, [SUBMITTER], key=SUBMITTER.key_id, target=registered)
    refused(board, "is its entry: retract that")


def test_a_board_begins_with_a_root(tmp_path):
    board = new_board(tmp_path, KEYS)
    board.leaves = board.leaves[1:]
    with pytest.raises(DocumentError, match="comes before any trust root"):
        state(board)


# -- 22: dual control --


@pytest.mark.parametrize("signers", [TWO[:1], [TWO[0], SUBMITTER], [SUBMITTER], [NEW]])
@pytest.mark.parametrize("act", ["admit", "suite", "revoke", "retract"])
def test_one_maintainer_alone_decides_nothing(board, act, signers):
    entry = board.entry(board.register())
    match act:
        case "admit":
            board.admit(KEYS.other, signers)
        case "suite":
            board.suite("retired", signers=signers)
        case "revoke":
            board.append(RevokeLeaf, signers, key=SUBMITTER.key_id, since=entry)
        case "retract":
            board.append(RetractLeaf, signers, reason="a reason", key=None, target=entry)
    refused(board, "of 2 signatures of maintainers are there")


def test_maintainers_retract_nothing_without_a_reason(board):
    entry = board.entry(board.register())
    board.append(RetractLeaf, TWO, reason=" ", key=None, target=entry)
    refused(board, "without a reason")


def test_removing_an_envelope_undoes_no_decision(board):
    """The log names the statement, so a host who removes a signature is noticed."""
    index = board.append(RevokeLeaf, TWO, key=SUBMITTER.key_id, since=3)
    statement = parse_leaf(board.leaves[index], "leaf").statement
    removed, _ = sorted((board.folder / STATEMENTS / statement).iterdir())
    removed.unlink()
    refused(board, "1 of 2 signatures of maintainers")
    for left in (board.folder / STATEMENTS / statement).iterdir():
        left.unlink()
    with pytest.raises(DocumentError, match="no signed statement is there"):
        state(board)
