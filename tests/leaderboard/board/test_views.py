"""What one reader saw of a log, compared with what another shows."""

import shutil
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.files import dump_json
from helpers.boards import BoardFolder, fork_of, new_board, root_of
from helpers.fuzz import FUZZ
from helpers.ledger import KEYS
from helpers.logs import ORIGIN
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import read_log
from leaderboard.board.views import (
    ForkError,
    check_logs,
    check_stapled,
    check_view,
    parse_view,
    view_of,
)
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.checkpoint import parse_checkpoint
from leaderboard.formats.log.note import parse_note
from leaderboard.formats.log.proof import LogProof, parse_proof, verify_proof

SAW = "this machine saw before"


@pytest.fixture
def board(history):
    return history


# -- views --


def seen(board, size=None):
    log = board.log()
    size = size or log.size
    return view_of(log, size, log.signed[size].note.content())


def test_a_view_is_kept_and_read_again(board):
    view = seen(board)
    assert parse_view(dump_json(view.content()), "view") == view


def test_a_log_that_grew_continues_what_was_seen(board):
    view = seen(board, 5)
    check_view(view, board.log(), SAW)
    board.register(draft="later")
    check_view(view, board.log(), SAW)


@pytest.mark.parametrize("first", [3, 7, 11])
def test_another_history_is_noticed_and_its_first_leaf_named(board, tmp_path, first):
    other = fork_of(board, first, tmp_path / "fork")
    with pytest.raises(ForkError, match=f"leaf {first} is not the one that {SAW}") as fork:
        check_view(seen(board), other.log(), SAW)
    mine, theirs = fork.value.notes
    assert mine == (board.folder / "log/checkpoint").read_bytes()
    assert theirs == (other.folder / "log/checkpoint").read_bytes()
    with pytest.raises(ForkError, match=f"leaf {first} is not the one that there has"):
        check_logs(board.log(), other.log(), "there")


def test_copies_of_different_boards_are_not_compared(board, tmp_path):
    other = BoardFolder(tmp_path / "other", KEYS)
    other.root(root_of(KEYS, origin="example.org/other"), KEYS.maintainers[:2])
    other.sign()
    with pytest.raises(DocumentError, match="is of the log"):
        check_logs(board.log(), other.log(), "there")


def test_a_shorter_log_is_no_fork(board, tmp_path):
    """A stale clone may be all that it is."""
    shutil.copytree(board.folder, tmp_path / "old")
    board.register(draft="later")
    board.sign()
    with pytest.raises(DocumentError, match="fewer than the 13") as short:
        check_view(seen(board), read_log(FolderFiles(tmp_path / "old")), SAW)
    assert not isinstance(short.value, ForkError)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The bytes of a view."""
    board = new_board(tmp_path_factory.mktemp("view"), KEYS)
    board.sign()
    return dump_json(seen(board).content())


@FUZZ
@given(position=st.integers(0, 2000), bit=st.integers(0, 7))
def test_a_damaged_view_is_refused_in_words(kept, position, bit):
    changed = bytearray(kept)
    changed[position % len(kept)] ^= 1 << bit
    try:
        view = parse_view(bytes(changed), "view")
    except DocumentError:
        return
    original = parse_view(kept, "view").checkpoint
    assert (view.checkpoint.size, view.checkpoint.root) == (original.size, original.root)


# -- stapled proofs --


def stapled(board, index, size=12):
    """The proof of a leaf as an entry brings it."""
    log = board.log()
    hashes = log.tree.inclusion(index, size)
    return LogProof(index, tuple(hashes), log.signed[size].note.content()).content()


def test_a_leaf_is_proven_by_the_first_checkpoint_that_a_quorum_cosigned(board):
    """Its cosignatures show the earliest time."""
    board.register(draft="later")
    with pytest.raises(DocumentError, match="no signed checkpoint covers it yet"):
        board.log().prove(12)
    board.sign()
    log = board.log()
    assert [parsed(log.prove(index)).size for index in (0, 4, 5, 11, 12)] == [5, 5, 12, 12, 13]
    board.register(draft="last")
    board.sign(witnesses=(0, 1))
    assert parsed(board.log().prove(12)).size == 14
    check(board, board.log().prove(12).content(), board.leaves[12])


def parsed(proof):
    """The checkpoint that a proof leads to."""
    return parse_checkpoint(parse_note(proof.checkpoint, "note").text, "note")


def check(board, content, leaf):
    """What `accept` asks of a proof that somebody brings."""
    log = board.log()
    logged = verify_proof(content, leaf, log.board.root.policy(), "proof")
    check_stapled(parse_proof(content, "proof"), leaf, logged.signed.checkpoint, log)
    return logged


@pytest.mark.parametrize("size", [5, 12])
def test_a_proof_of_the_same_history_is_accepted(board, size):
    for index in range(size):
        logged = check(board, stapled(board, index, size), board.leaves[index])
        assert logged.index == index and logged.signed.witnessed_at(2) is not None


@pytest.mark.parametrize(
    ("first", "index", "named"),
    [
        (7, 7, "leaf 7"),
        (6, 7, "leaf 6"),
        (6, 11, "one of the leaves 0 to 7"),
        (8, 9, "leaf 8"),
        (11, 3, "one of the leaves 8 to 11"),
    ],
)
def test_an_entry_of_another_history_is_noticed(board, tmp_path, first, index, named):
    """Gossip: every entry brings the checkpoint that it was registered under. A proof narrows the
    first difference down as far as its hashes go."""
    other = fork_of(board, first, tmp_path / "fork")
    content = stapled(other, index)
    with pytest.raises(ForkError, match=f"{named} is not the one") as fork:
        check(board, content, other.leaves[index])
    assert fork.value.notes[0] == (other.folder / "log/checkpoint").read_bytes()


def test_a_proof_of_a_longer_log_says_that_the_copy_is_old(board, tmp_path):
    shutil.copytree(board.folder, tmp_path / "old")
    board.register(draft="later")
    board.sign()
    old = BoardFolder(tmp_path / "old", KEYS)
    with pytest.raises(DocumentError, match="this copy is older"):
        check(old, stapled(board, 12, 13), board.leaves[12])


def test_a_root_on_disk_is_what_its_leaf_names(board):
    content = dump_json(asdict(root_of(KEYS)))
    assert (board.folder / "trust/1.root.json").read_bytes() == content
    assert board.log().board.root.origin == ORIGIN
