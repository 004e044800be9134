"""A board's log read as a whole, and compared with what others show of it."""

import shutil
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.files import dump_json
from helpers.boards import WITNESSES, BoardFolder, Keys, new_board, role, root_of
from helpers.fuzz import FUZZ
from helpers.logs import ORIGIN, TIME
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
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.checkpoint import parse_checkpoint
from leaderboard.formats.log.leaf import RevokeLeaf
from leaderboard.formats.log.note import parse_note
from leaderboard.formats.log.proof import LogProof, parse_proof, verify_proof

KEYS = Keys()
SAW = "this machine saw before"


@pytest.fixture
def board(tmp_path):
    """Twelve leaves, signed and cosigned at 5 and at 12."""
    board = new_board(tmp_path / "board", KEYS)
    for number in range(2):
        board.register(draft=number)
    board.sign(witnesses=(0, 1))
    for number in range(2, 9):
        board.register(draft=number)
    board.sign(witnesses=(0, 1))
    return board


def fork_of(board, first, folder):
    """Another history of a board, from leaf `first` on, with as many leaves, signed."""
    shutil.copytree(board.folder, folder)
    shutil.rmtree(folder / "log")
    other = BoardFolder(folder, board.keys)
    for leaf in board.leaves[:first]:
        other.append_raw(leaf)
    other.at = board.at
    while len(other.leaves) < len(board.leaves):
        other.register(draft=f"forged {len(other.leaves)}")
    other.sign(KEYS.logs[1])
    return other


def refused(board, sentence):
    with pytest.raises(DocumentError, match=sentence) as error:
        board.log()
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


# -- reading --


def test_a_log_says_what_is_signed_and_witnessed(board):
    log = board.log()
    assert (log.size, list(log.signed)) == (12, [5, 12])
    assert log.newest.checkpoint.size == 12
    signed, time = log.witnessed()
    assert (signed.checkpoint.size, time) == (12, board.at)


def test_whose_signature_counts_is_what_the_leaves_below_say(board):
    """A key that a later root drops signed earlier checkpoints, and signs no later one."""
    fresh = one_use_key()
    successor = root_of(KEYS, version=2, log=role([fresh]))
    board.root(successor, KEYS.maintainers[:2])
    board.sign(fresh)
    assert list(board.log().signed) == [5, 12, 13]

    board.register(draft="later")
    board.sign(KEYS.logs[0])
    refused(board, "log/checkpoints/14: no key of the log")


@pytest.mark.parametrize("name", ["log/checkpoints/12", "log/checkpoints/5"])
def test_a_checkpoint_of_another_tree_is_refused(board, tmp_path, name):
    """It is signed by a key of the log, for other leaves."""
    other = fork_of(board, 4, tmp_path / "fork")
    if name.endswith("5"):
        other.sign(size=5)
    board.write(name, (other.folder / name).read_bytes())
    if name.endswith("12"):
        board.write("log/checkpoint", (other.folder / name).read_bytes())
    refused(board, f"{name}: was signed for other leaves")


def test_a_checkpoint_under_another_size_is_refused(board):
    content = (board.folder / "log/checkpoints/5").read_bytes()
    board.write("log/checkpoints/6", content)
    refused(board, "log/checkpoints/6: was signed for other leaves")


def test_a_log_shorter_than_its_checkpoint_is_refused(board):
    path = board.folder / "log/leaves/000.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    refused(board, "log/checkpoints/12: the log has 11 leaves")


def test_reordered_leaves_are_refused(board):
    path = board.folder / "log/leaves/000.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4], lines[5] = lines[5], lines[4]
    path.write_bytes(b"".join(lines))
    refused(board, "leaf 5 .* before the leaf above it")


def test_the_first_checkpoint_that_readers_fetch_is_the_newest(board):
    board.write("log/checkpoint", (board.folder / "log/checkpoints/5").read_bytes())
    refused(board, "log/checkpoint: is not the newest")


@pytest.mark.parametrize("name", ["05", "x", "1e1", "-1", str(2**63)])
def test_a_file_of_another_name_among_the_checkpoints_is_refused(board, name):
    board.write(f"log/checkpoints/{name}", b"")
    refused(board, "decimal number")


@pytest.mark.parametrize("name", ["1.jsonl", "000.json", "000.jsonl.gz", "README.md"])
def test_a_file_of_another_name_among_the_leaves_is_refused(board, name):
    board.write(f"log/leaves/{name}", b"")
    refused(board, "is no bundle of leaves")


def test_a_missing_bundle_is_refused(board):
    (board.folder / "log/leaves/000.jsonl").rename(board.folder / "log/leaves/001.jsonl")
    refused(board, "log/leaves/000.jsonl: is not there")


def test_a_bundle_after_one_that_is_not_full_is_refused(board):
    board.write("log/leaves/001.jsonl", (board.folder / "log/leaves/000.jsonl").read_bytes())
    refused(board, "follows a bundle that is not full")


def test_a_board_without_leaves_is_refused(tmp_path):
    with pytest.raises(DocumentError, match="has no leaf"):
        read_log(FolderFiles(tmp_path))


def test_a_witness_who_goes_back_in_time_is_refused(board):
    board.sign(witnesses=(0,), time=TIME, size=12)
    refused(board, f"{WITNESSES[0]} cosigned it before a smaller checkpoint")


@pytest.mark.parametrize("linked", ["log", "log/leaves", "log/leaves/000.jsonl", "statements"])
def test_no_link_is_followed(board, tmp_path, linked):
    path = board.folder / linked
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    refused(board, "is a link|is no folder")


def test_a_file_over_its_limit_is_not_read(board):
    """A sparse file of a terabyte takes no room on a disk."""
    with (board.folder / "log/checkpoints/5").open("ab") as file:
        file.truncate(1 << 40)
    refused(board, "at most 262144 are read")


@pytest.fixture(scope="module")
def signed_board(tmp_path_factory):
    """A board that the tests below change and put right again, and what its log says."""
    board = new_board(tmp_path_factory.mktemp("signed"), KEYS)
    registered = board.register()
    board.sign(witnesses=(0, 1))
    board.entry(registered)
    board.append(RevokeLeaf, KEYS.maintainers[1:], key=KEYS.submitter.key_id, since=4)
    board.sign(witnesses=(0, 1))
    return board, board.log()


@FUZZ
@given(data=st.data())
def test_no_bit_of_a_board_can_be_changed(signed_board, data):
    """The log is refused, or a cosignature of an earlier checkpoint became a stranger's line."""
    board, before = signed_board
    paths = sorted(path for path in board.folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    content = path.read_bytes()
    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(changed))
    try:
        after = board.log()
    except DocumentError as error:
        assert "\n" not in str(error)
        return
    finally:
        path.write_bytes(content)
    assert path.name == "4" and after.leaves == before.leaves
    assert len(after.signed[4].cosigned) < len(before.signed[4].cosigned)


@FUZZ
@given(data=st.data())
def test_a_board_with_a_file_cut_or_gone_is_refused(signed_board, data):
    board, _ = signed_board
    paths = sorted(path for path in board.folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    content = path.read_bytes()
    length = data.draw(st.none() | st.integers(0, len(content) - 1))
    path.unlink()
    if length is not None:
        path.write_bytes(content[:length])
    try:
        log = board.log()
    except DocumentError:
        return
    finally:
        path.write_bytes(content)
    # White space of an envelope is free; an earlier checkpoint may be gone, or its cosignatures.
    if length is not None and content[:length] == content.rstrip():
        return
    assert path.name == "4"
    assert 4 not in log.signed or len(log.signed[4].cosigned) < 2


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
