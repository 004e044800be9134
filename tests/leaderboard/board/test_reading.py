"""A board's log read as a whole: what is wrong with it is said first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.boards import WITNESSES, fork_of, new_board, role, root_of
from helpers.fuzz import FUZZ
from helpers.ledger import KEYS
from helpers.logs import TIME
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import read_log
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.leaf import RevokeLeaf


@pytest.fixture
def board(history):
    return history


def refused(board, sentence):
    with pytest.raises(DocumentError, match=sentence) as error:
        board.log()
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


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
