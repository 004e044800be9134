"""`log sign`: what was pushed is signed, once, and nothing else is."""

import shutil

import pytest

from harness.errors import INCOMPLETE, UNVERIFIED, USAGE
from helpers.boards import commit_all, git, key_file, user
from helpers.logs import checkpoint_of
from helpers.people import KEYS, grow, published, racing
from helpers.program import call
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.checkpoint import sign_checkpoint
from leaderboard.formats.log.note import Note


def test_what_was_pushed_is_signed_and_the_clone_follows(board, maintainer, remote, tmp_path):
    signed = maintainer.log("sign")
    assert signed.returncode == 0, signed.stderr
    assert "3 leaves signed now" in signed.stdout
    log = published(remote, tmp_path)
    assert list(log.signed) == [3]
    assert (maintainer.clone / "log/checkpoint").read_bytes() == log.newest.note.content()
    assert maintainer.remembers() == 3


def test_a_signed_log_is_not_signed_again(maintainer, person, remote):
    maintainer.log("sign")
    head = git(remote, "rev-parse", "main")
    assert "nothing new, 3 leaves are signed" in maintainer.log("sign").stdout
    assert "nothing new" in person("second", KEYS.logs[1]).log("sign").stdout
    assert git(remote, "rev-parse", "main") == head


def test_a_full_log_grows_by_checkpoints(board, maintainer, person, remote, tmp_path):
    maintainer.log("sign")
    second = person("second", KEYS.logs[1])
    for number, signer in enumerate([second, maintainer, second]):
        grow(board, f"draft {number}")
        assert signer.log("sign").returncode == 0
    log = published(remote, tmp_path)
    assert list(log.signed) == [3, 4, 5, 6]
    assert [len(signed.logs) for signed in log.signed.values()] == [1, 1, 1, 1]


def test_leaves_that_were_not_pushed_are_not_signed(board, maintainer, remote, tmp_path):
    """Else two maintainers could sign two trees of one size."""
    shutil.copytree(board.folder / "log", maintainer.clone / "log", dirs_exist_ok=True)
    with (maintainer.clone / "log/leaves/000.jsonl").open("ab") as file:
        file.write(b'{"kind":"mine"}\n')
    git(maintainer.clone, "commit", "--quiet", "--all", "--message", "mine")
    assert "3 leaves signed now" in maintainer.log("sign").stdout
    assert list(published(remote, tmp_path).signed) == [3]


def test_a_stranger_signs_nothing(person, remote):
    head = git(remote, "rev-parse", "main")
    refused = person("stranger", one_use_key()).log("sign")
    assert refused.returncode == USAGE
    assert "is no key of the log example.org/board" in refused.stderr
    assert git(remote, "rev-parse", "main") == head


def test_a_leaf_that_breaks_a_rule_is_not_signed(board, maintainer, remote):
    board.register(KEYS.other)
    commit_all(board.folder)
    head = git(remote, "rev-parse", "main")
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 (register): key" in refused.stderr and "was not admitted" in refused.stderr
    assert git(remote, "rev-parse", "main") == head
    assert maintainer.remembers() is None


def test_a_board_goes_on_once_a_forbidden_leaf_is_taken_off(
    board, maintainer, witness, person, remote, tmp_path
):
    """A thief with a key of the log added a leaf and signed it: it convinces nobody."""
    assert maintainer.log("sign").returncode == 0
    git(board.folder, "pull", "--quiet", "origin", "main")
    board.register(KEYS.other)
    checkpoint = checkpoint_of(board.leaves)
    note = Note(checkpoint.text(), (sign_checkpoint(checkpoint, KEYS.logs[1]),)).content()
    board.write("log/checkpoints/4", note)
    board.write("log/checkpoint", note)
    commit_all(board.folder)
    for somebody, command in ((maintainer, "sign"), (witness, "witness")):
        assert somebody.log(command).returncode == UNVERIFIED
    assert (maintainer.remembers(), witness.remembers()) == (3, None)

    # An ordinary commit takes it off: no history is rewritten.
    git(board.folder, "revert", "--no-edit", "HEAD")
    git(board.folder, "push", "--quiet", "origin", "HEAD:main")
    board.leaves.pop()
    grow(board, "honest")
    assert "4 leaves signed now" in maintainer.log("sign").stdout
    assert witness.log("witness").returncode == 0
    assert list(published(remote, tmp_path).signed) == [3, 4]


def test_a_leaf_of_the_future_is_not_signed(board, maintainer):
    """Times only grow: it would bar everybody else's leaves."""
    board.register(at=2_000_000_000)
    commit_all(board.folder)
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3: was logged" in refused.stderr and "seconds from now" in refused.stderr


def test_a_changed_leaf_is_not_signed(board, maintainer, remote):
    maintainer.log("sign")
    git(board.folder, "pull", "--quiet", "origin", "main")
    path = board.folder / "log/leaves/000.jsonl"
    path.write_text(path.read_text().replace('"dmc-hard"', '"dmc-easy"'))
    commit_all(board.folder)
    assert maintainer.log("sign").returncode == UNVERIFIED


def test_a_link_in_the_repository_is_not_followed(board, maintainer, tmp_path):
    path = board.folder / "log/leaves/000.jsonl"
    (tmp_path / "elsewhere").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    commit_all(board.folder)
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "log/leaves/000.jsonl: is a link" in refused.stderr
    maintainer.pull()
    assert "is a link" in maintainer.log("audit").stderr


def test_a_folder_that_is_no_repository_is_a_wrong_use(tmp_path):
    key = key_file(tmp_path, KEYS.logs[0])
    refused = call("log", "sign", "--board", tmp_path, "--key", key)
    assert refused.returncode == USAGE
    assert "git remote" in refused.stderr and "Traceback" not in refused.stderr


def test_a_branch_whose_name_ends_like_the_main_one_is_not_taken_for_it(
    grown, maintainer, remote, tmp_path
):
    """`git ls-remote` lists refs/heads/a/refs/heads/main too, and first."""
    git(grown.folder, "push", "--quiet", "origin", "HEAD:refs/heads/a/refs/heads/main")
    grow(grown, "later")
    assert "5 leaves signed now" in maintainer.log("sign").stdout
    missing = maintainer.log("sign", "--branch", "trunk")
    assert missing.returncode == USAGE and "origin has no branch trunk" in missing.stderr


# -- a push that loses --


def test_a_signer_who_lost_the_race_signs_the_longer_log(board, maintainer, remote, tmp_path):
    from harness.board.sign import sign_log

    drafts = iter(["meanwhile"])

    def once():
        for draft in drafts:
            grow(board, draft)

    with user(maintainer.folder / "config"):
        signed = sign_log(racing(maintainer, once), KEYS.logs[0])
    assert (signed.size, signed.new) == (4, True)
    assert list(published(remote, tmp_path).signed) == [4]


def test_a_signer_who_loses_twice_gives_up_and_signs_nothing(board, maintainer, remote, tmp_path):
    from harness.board.sign import sign_log
    from harness.errors import Incomplete

    drafts = iter(range(9))
    with (
        user(maintainer.folder / "config"),
        pytest.raises(Incomplete, match="nothing was signed") as busy,
    ):
        sign_log(racing(maintainer, lambda: grow(board, next(drafts))), KEYS.logs[0])
    assert busy.value.code == INCOMPLETE
    assert list(published(remote, tmp_path).signed) == []
    assert "5 leaves signed now" in maintainer.log("sign").stdout


def test_two_signers_of_one_size_leave_one_checkpoint(board, maintainer, person, remote, tmp_path):
    from harness.board.sign import sign_log

    second = person("second", KEYS.logs[1])
    with user(maintainer.folder / "config"):
        signed = sign_log(racing(maintainer, lambda: second.log("sign")), KEYS.logs[0])
    assert (signed.size, signed.new, signed.commit) == (3, False, None)
    assert len(published(remote, tmp_path).signed[3].logs) == 1


def test_a_signer_that_died_before_the_push_signs_the_same_tree(maintainer, remote, tmp_path):
    from harness.board.sign import sign_log

    class Killed(Exception):
        pass

    def die():
        raise Killed

    with user(maintainer.folder / "config"), pytest.raises(Killed):
        sign_log(racing(maintainer, die), KEYS.logs[0])
    assert maintainer.remembers() == 3
    assert list(published(remote, tmp_path).signed) == []
    assert "3 leaves signed now" in maintainer.log("sign").stdout
