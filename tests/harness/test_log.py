"""`mst-bench log`: signing what was pushed, witnessing it, auditing copies of it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from harness.board.git import Repository
from harness.board.remembered import recall, view_path
from harness.errors import INCOMPLETE, UNVERIFIED, USAGE
from harness.files import write_json
from helpers.boards import (
    WITNESSES,
    Keys,
    clone,
    commit_all,
    git,
    json_of,
    key_file,
    new_board,
    served,
    user,
)
from helpers.logs import ORIGIN, TIME, checkpoint_of
from helpers.program import call
from leaderboard.board.files import FolderFiles
from leaderboard.board.known import view_name
from leaderboard.board.log import read_log
from leaderboard.board.views import view_of
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.checkpoint import cosign_checkpoint, sign_checkpoint
from leaderboard.formats.log.note import Note

KEYS = Keys()


@dataclass
class Person:
    """Somebody with a clone, a key and a memory of their own."""

    folder: Path
    clone: Path
    key: Path

    def log(self, command, *arguments):
        """`mst-bench log <command>` as this person."""
        words = [*arguments] if command == "audit" else ["--key", self.key, *arguments]
        with user(self.folder / "config"):
            return call("log", command, "--board", self.clone, *words)

    def pull(self):
        git(self.clone, "pull", "--quiet", "--ff-only", "origin", "main")

    def remembers(self):
        with user(self.folder / "config"):
            seen = recall(ORIGIN)
        return seen and seen.checkpoint.size


@pytest.fixture
def board(tmp_path):
    """A board of three leaves, in a clone that others' leaves come from."""
    folder = tmp_path / "author"
    folder.mkdir()
    return new_board(folder, KEYS)


@pytest.fixture
def remote(board, tmp_path):
    """The bare repository that everybody pushes to."""
    return served(board, tmp_path)


@pytest.fixture
def person(remote, tmp_path):
    """Makes a person, by their name and key."""

    def make(name, key):
        folder = tmp_path / name
        folder.mkdir()
        return Person(folder, clone(remote, folder / "board"), key_file(folder, key))

    return make


@pytest.fixture
def maintainer(person):
    return person("maintainer", KEYS.logs[0])


@pytest.fixture
def witness(person):
    return person("witness", KEYS.witnesses[0])


def grow(board, draft):
    """Append and push a leaf, as `accept` does."""
    git(board.folder, "pull", "--quiet", "--ff-only", "origin", "main")
    board.register(draft=draft)
    commit_all(board.folder, "A leaf")


def merge(board, branch):
    """Merge a pull request."""
    git(board.folder, "pull", "--quiet", "origin", "main")
    git(board.folder, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", branch)
    git(board.folder, "push", "--quiet", "origin", "HEAD:main")


def published(remote, tmp_path):
    """The log as a stranger gets it."""
    folder = tmp_path / "stranger"
    shutil.rmtree(folder, ignore_errors=True)
    return read_log(FolderFiles(clone(remote, folder)))


# -- sign --


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


# -- a push that loses --


class Racing(Repository):
    """A clone whose owner is interrupted by others before each push."""

    def push(self, commit, parent):
        self.between()
        super().push(commit, parent)


def racing(person, between):
    repository = Racing(person.clone)
    object.__setattr__(repository, "between", between)
    return repository


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


# -- two histories --


def rewrite(board, draft):
    """Replace the last leaf by another, and force it onto the main branch."""
    git(board.folder, "pull", "--quiet", "origin", "main")
    for path in (board.folder / "log").glob("checkpoint*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    board.leaves.pop()
    board.at += 1
    board.register(draft=draft)
    git(board.folder, "add", "--all")
    git(board.folder, "commit", "--quiet", "--message", "rewritten")
    git(board.folder, "push", "--quiet", "--force", "origin", "HEAD:main")


@pytest.fixture
def grown(board, maintainer):
    """The board with a fourth leaf, signed by the maintainer."""
    grow(board, "honest")
    assert maintainer.log("sign").returncode == 0
    return board


def test_a_rewritten_log_is_not_signed_by_who_saw_the_other(grown, maintainer):
    rewrite(grown, "forged")
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 is not the one that this machine saw before" in refused.stderr
    assert len(list((maintainer.clone / "evidence").iterdir())) == 1


def test_a_rewritten_and_signed_log_is_noticed_by_the_remembered_view(grown, maintainer, person):
    """A stolen key of the log signs the second history: both notes are kept."""
    rewrite(grown, "forged")
    thief = person("thief", KEYS.logs[1])
    assert thief.log("sign").returncode == 0
    git(maintainer.clone, "fetch", "--quiet", "origin")
    git(maintainer.clone, "reset", "--quiet", "--hard", "origin/main")
    refused = maintainer.log("audit")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 is not the one" in refused.stderr and "two histories" in refused.stderr
    notes = [path.read_text() for path in (maintainer.clone / "evidence").iterdir()]
    assert len(notes) == 2
    assert {note.splitlines()[1] for note in notes} == {"4"}
    assert len({note.splitlines()[2] for note in notes}) == 2


def test_a_rewritten_log_is_not_cosigned(grown, witness, person, remote):
    assert witness.log("witness").returncode == 0
    rewrite(grown, "forged")
    assert person("thief", KEYS.logs[1]).log("sign").returncode == 0
    refused = witness.log("witness")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 is not the one" in refused.stderr
    assert len(list((witness.clone / "evidence").iterdir())) == 2


def test_two_copies_are_compared(grown, maintainer, person, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(maintainer.clone, kept)
    rewrite(grown, "forged")
    reader = person("reader", KEYS.logs[1])
    assert reader.log("sign").returncode == 0
    refused = reader.log("audit", "--with", kept)
    assert refused.returncode == UNVERIFIED
    assert f"leaf 3 is not the one that {kept} has" in refused.stderr


def test_a_log_that_was_cut_is_noticed(grown, maintainer):
    git(grown.folder, "reset", "--quiet", "--hard", "HEAD~1")
    git(grown.folder, "push", "--quiet", "--force", "origin", "HEAD:main")
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "has 3 leaves, fewer than the 4 that this machine saw" in refused.stderr


def test_a_log_other_than_the_release_knows_is_refused(grown, maintainer, person, tmp_path):
    """Every installation is a remembered view, also one that never saw the log."""
    maintainer.pull()
    log = read_log(FolderFiles(maintainer.clone))
    known = tmp_path / "package" / "known" / view_name(ORIGIN)
    write_json(known, view_of(log, 4, log.newest.note.content()).content())
    rewrite(grown, "forged")
    reader = person("reader", KEYS.logs[1])
    with mock.patch("leaderboard.board.known.resources.files", return_value=tmp_path / "package"):
        assert maintainer.log("audit").returncode == 0
        refused = reader.log("audit")
    assert refused.returncode == UNVERIFIED
    assert "leaf 3 is not the one that this release knows" in refused.stderr


def test_a_longer_copy_agrees_with_a_shorter_one(grown, maintainer, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(maintainer.clone, kept)
    grow(grown, "later")
    assert maintainer.log("sign").returncode == 0
    audited = maintainer.log("audit", "--with", kept)
    assert audited.returncode == 0, audited.stderr
    assert f"compared: agrees with {kept}" in audited.stdout


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("leaves", "", "A"),
        ("note", "board", "other"),
        ("note", "\n3\n", "\n2\n"),
        ("schema", "v1", "v0"),
    ],
)
def test_a_damaged_memory_is_said_and_not_taken_for_an_empty_one(maintainer, field, old, new):
    maintainer.log("sign")
    with user(maintainer.folder / "config"):
        path = view_path(ORIGIN)
    document = json.loads(path.read_text())
    document[field] = document[field].replace(old, new)
    path.write_text(json.dumps(document))
    refused = maintainer.log("audit")
    assert refused.returncode == USAGE
    assert str(path) in refused.stderr and "damaged" in refused.stderr


# -- witness --


def test_a_witness_hands_in_a_cosignature_and_the_next_signer_takes_it_in(
    grown, maintainer, witness, person, remote, tmp_path
):
    other = person("other", KEYS.witnesses[1])
    for somebody in (witness, other):
        witnessed = json_of(somebody.log("witness", "--json"))
        assert witnessed["size"] == 4
        merge(grown, witnessed["branch"])
    signed = json_of(maintainer.log("sign", "--json"))
    assert (signed["new"], signed["cosignatures"]) == (False, 2)

    log = published(remote, tmp_path)
    assert len(log.signed[4].cosigned) == 2
    assert log.witnessed()[0].checkpoint.size == 4
    assert not (tmp_path / "stranger/inbox").exists()
    assert "nothing new" in witness.log("witness").stdout
    assert "nothing new" in maintainer.log("sign").stdout

    maintainer.pull()
    audited = maintainer.log("audit")
    assert "witnesses: 4 leaves, " in audited.stdout


def test_a_witness_adds_a_file_of_its_own_and_nothing_else(grown, witness, remote):
    branch = json_of(witness.log("witness", "--json"))["branch"]
    changed = git(remote, "diff", "--name-status", "main", branch).split("\n")
    assert len(changed) == 1
    assert changed[0].startswith("A\tinbox/cosignature-4-")


def test_a_log_without_a_checkpoint_is_not_cosigned(witness):
    refused = witness.log("witness")
    assert refused.returncode == INCOMPLETE
    assert "no checkpoint is signed yet" in refused.stderr


def test_a_key_that_is_no_witness_cosigns_nothing(grown, person):
    refused = person("stranger", KEYS.logs[1]).log("witness")
    assert refused.returncode == USAGE
    assert "is no witness of the log" in refused.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cosignature-4-00000000.note", b"junk"),
        ("cosignature-99-00000000.note", b"junk"),
        ("cosignature-4-11111111.note", b"x" * (1 << 19)),
    ],
)
def test_what_is_no_cosignature_is_left_in_the_inbox(grown, maintainer, name, content):
    grown.write(f"inbox/{name}", content)
    git(grown.folder, "pull", "--quiet", "origin", "main")
    commit_all(grown.folder)
    signed = maintainer.log("sign")
    assert signed.returncode == 0
    assert "it was left there" in signed.stderr
    assert "nothing new" in signed.stdout


def handed_in(grown, size, witness, time, key=None, leaves=None):
    """A cosignature that somebody handed in, and that was merged."""
    git(grown.folder, "pull", "--quiet", "origin", "main")
    name = WITNESSES[witness]
    checkpoint = checkpoint_of((leaves or grown.leaves)[:size])
    lines = (
        sign_checkpoint(checkpoint, key or KEYS.logs[0]),
        cosign_checkpoint(checkpoint, KEYS.witnesses[witness], name, time),
    )
    path = f"inbox/cosignature-{size}-{lines[1].key_id.hex()}.note"
    grown.write(path, Note(checkpoint.text(), lines).content())
    commit_all(grown.folder)
    return path


def test_a_witness_that_went_back_in_time_is_not_taken_in(grown, maintainer, remote, tmp_path):
    """Taking it in would make the log invalid for everybody."""
    handed_in(grown, 4, 0, TIME + 5000)
    assert json_of(maintainer.log("sign", "--json"))["cosignatures"] == 1
    grow(grown, "later")
    assert maintainer.log("sign").returncode == 0
    path = handed_in(grown, 5, 0, TIME + 4000)
    signed = maintainer.log("sign")
    assert "cosigned it before a smaller checkpoint; it was left there" in signed.stderr
    assert "nothing new" in signed.stdout
    assert list(published(remote, tmp_path).signed) == [4, 5]
    assert (tmp_path / "stranger" / path).exists()


def test_a_cosignature_of_the_future_is_not_taken_in(grown, maintainer):
    handed_in(grown, 4, 0, 2_000_000_000)
    assert "in the future; it was left there" in maintainer.log("sign").stderr


def test_a_cosignature_of_another_tree_is_evidence(grown, maintainer):
    """A key of the log signed two trees of one size: the witness saw the other one."""
    forged = [*grown.leaves[:3], b'{"forged":true}']
    handed_in(grown, 4, 0, TIME + 5000, KEYS.logs[1], forged)
    refused = maintainer.log("sign")
    assert refused.returncode == UNVERIFIED
    assert "signed another tree of 4 leaves" in refused.stderr
    assert len(list((maintainer.clone / "evidence").iterdir())) == 2


def test_a_branch_whose_name_ends_like_the_main_one_is_not_taken_for_it(
    grown, maintainer, remote, tmp_path
):
    """`git ls-remote` lists refs/heads/a/refs/heads/main too, and first."""
    git(grown.folder, "push", "--quiet", "origin", "HEAD:refs/heads/a/refs/heads/main")
    grow(grown, "later")
    assert "5 leaves signed now" in maintainer.log("sign").stdout
    missing = maintainer.log("sign", "--branch", "trunk")
    assert missing.returncode == USAGE and "origin has no branch trunk" in missing.stderr


# -- audit --


def test_an_audit_says_what_it_checked(grown, maintainer):
    maintainer.pull()
    audited = maintainer.log("audit")
    assert audited.returncode == 0, audited.stderr
    assert audited.stdout.splitlines() == [
        "example.org/board: 4 leaves, all allowed; 4 signed",
        "witnesses: no quorum has cosigned a checkpoint",
        "remembered: continues the 4 leaves seen before",
    ]


def test_an_old_quorum_is_said(grown, maintainer):
    git(grown.folder, "pull", "--quiet", "origin", "main")
    grown.sign(witnesses=(0, 1), time=1_700_000_000)
    commit_all(grown.folder)
    maintainer.pull()
    audited = maintainer.log("audit")
    assert audited.returncode == 0, audited.stderr
    assert "old, fetch the board anew" in audited.stdout


def test_a_cosignature_of_the_future_is_refused(grown, maintainer):
    git(grown.folder, "pull", "--quiet", "origin", "main")
    grown.sign(witnesses=(0, 1), time=2**40)
    commit_all(grown.folder)
    maintainer.pull()
    refused = maintainer.log("audit")
    assert refused.returncode == UNVERIFIED
    assert "cosigned it" in refused.stderr and "seconds from now" in refused.stderr


def test_a_folder_that_is_no_board_is_a_wrong_use(tmp_path):
    refused = call("log", "audit", "--board", tmp_path)
    assert refused.returncode == USAGE
    assert "is no board" in refused.stderr


def test_an_audit_needs_neither_git_nor_torch(grown, maintainer):
    """A copy of the files is enough."""
    maintainer.pull()
    shutil.rmtree(maintainer.clone / ".git")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from harness.board.audit import audit_log\n"
        "print(audit_log(Path(sys.argv[1])).leaves)\n"
    )
    import sys

    finished = subprocess.run(
        [sys.executable, "-c", code, str(maintainer.clone)],
        capture_output=True,
        text=True,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), "XDG_CONFIG_HOME": str(grown.folder)},
    )
    assert finished.stdout == "4\n", finished.stderr
