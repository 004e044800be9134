"""Leaves are appended by one rule-abiding push; whatever else happens, nothing is pushed."""

import hashlib
import subprocess
import time

import pytest

from harness.board.append import Decision, append_leaf
from harness.board.git import Repository
from harness.board.log import Invalid
from harness.board.sign import sign_log
from harness.errors import Incomplete
from harness.files import dump_json
from helpers.boards import Keys, clone, commit_all, digest, git, new_board, served, user
from helpers.logs import ORIGIN
from helpers.people import rewrite
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import read_log
from leaderboard.formats import envelope
from leaderboard.formats.log.statements import statement_payload

KEYS = Keys()


@pytest.fixture
def board(tmp_path):
    (tmp_path / "author").mkdir()
    return new_board(tmp_path / "author", KEYS)


@pytest.fixture
def repository(board, tmp_path):
    """A maintainer's clone; their memory is their own."""
    remote = served(board, tmp_path)
    with user(tmp_path / "config"):
        yield Repository(clone(remote, tmp_path / "maintainer"))


def registration(draft="draft", signer=KEYS.submitter, **changes):
    """A decision to log a registration, with its statement."""
    fields = {
        "key": KEYS.submitter.key_id,
        "suite": "dmc-hard",
        "version": 1,
        "draft": digest(draft),
        "image": digest("image"),
        "blinded": False,
        **changes,
    }
    payload = statement_payload(ORIGIN, {"kind": "register", **fields})
    sha256 = hashlib.sha256(payload).hexdigest()
    path = f"statements/{sha256}/{signer.key_id[:16]}.dsse.json"
    files = {path: dump_json(envelope.sign(payload, signer))}
    return Decision("register", fields | {"statement": sha256}, files)


def head(repository):
    return git(repository.folder, "ls-remote", "origin", "refs/heads/main").split()[0]


def test_a_leaf_is_pushed_with_its_statement_and_the_clone_follows(repository):
    assert append_leaf(repository, registration()) == 3
    assert append_leaf(repository, registration("second")) == 4
    log = read_log(FolderFiles(repository.folder))
    assert [log.size, sorted(log.board.registrations)] == [5, [3, 4]]
    assert git(repository.folder, "rev-parse", "HEAD") == head(repository)


def test_what_an_inbox_held_is_removed_with_the_same_push(board, repository):
    board.write("inbox/register-1.dsse.json", b"{}")
    commit_all(board.folder)
    decision = registration()
    removed = {"inbox/register-1.dsse.json": None}
    append_leaf(repository, Decision("register", decision.fields, decision.files | removed))
    assert not (repository.folder / "inbox").exists()


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        (registration(signer=KEYS.other), "did not sign it"),
        (registration(suite="dmc-easy"), "was never opened"),
        (registration(version=-1), "whole number"),
        (registration(more="x" * 70_000), "at most 65535 bytes"),
        (Decision("register", registration().fields, {}), "no signed statement is there"),
        (Decision("grant", registration().fields, registration().files), "unknown kind"),
        (Decision("admit", registration().fields, registration().files), "unknown key"),
    ],
)
def test_what_a_rule_forbids_is_not_pushed(repository, decision, sentence):
    before = head(repository)
    with pytest.raises(Invalid, match=sentence):
        append_leaf(repository, decision)
    assert head(repository) == before
    assert git(repository.folder, "status", "--porcelain") == ""


def test_half_done_work_in_the_clone_is_neither_pushed_nor_lost(repository):
    notes = repository.folder / "notes.txt"
    notes.write_text("half done")
    (repository.folder / "log/leaves/000.jsonl").write_text("half done")
    assert append_leaf(repository, registration()) == 3
    assert notes.read_text() == "half done"
    assert (repository.folder / "log/leaves/000.jsonl").read_text() == "half done"
    git(repository.folder, "checkout", "--quiet", ".")
    git(repository.folder, "pull", "--quiet", "--ff-only", "origin", "main")
    assert read_log(FolderFiles(repository.folder)).size == 4


def test_a_second_pusher_asks_the_rules_again(repository, board, tmp_path):
    """The same plan was registered in between: the later one is refused, not doubled."""

    class Overtaken(Repository):
        def push(self, commit, parent):
            if not list(tmp_path.glob("overtaken")):
                (tmp_path / "overtaken").touch()
                git(board.folder, "pull", "--quiet", "--ff-only", "origin", "main")
                board.at = int(time.time())
                board.register(draft="draft")
                commit_all(board.folder)
            super().push(commit, parent)

    with pytest.raises(Invalid, match="leaf 3 is an open registration of the same plan"):
        append_leaf(Overtaken(repository.folder), registration("draft"))


def test_who_loses_twice_gives_up(repository, board):
    class Overtaken(Repository):
        def push(self, commit, parent):
            git(board.folder, "pull", "--quiet", "--ff-only", "origin", "main")
            board.register(draft=len(board.leaves))
            commit_all(board.folder)
            super().push(commit, parent)

    with pytest.raises(Incomplete, match="nothing was logged"):
        append_leaf(Overtaken(repository.folder), registration())


def test_a_bundle_is_continued_by_the_next(repository, board):
    while len(board.leaves) < 256:
        board.register(draft=len(board.leaves))
    commit_all(board.folder)
    assert append_leaf(repository, registration()) == 256
    assert len((repository.folder / "log/leaves/001.jsonl").read_text().splitlines()) == 1


def test_a_log_with_another_history_gets_no_leaf(repository, board):
    append_leaf(repository, registration())
    sign_log(repository, KEYS.logs[0])
    board.leaves = read_log(FolderFiles(repository.folder)).leaves
    board.at = int(time.time())
    rewrite(board, "forged")
    with pytest.raises(Invalid, match="leaf 3 is not the one that this machine saw before"):
        append_leaf(repository, registration("another"))


def test_a_commit_whose_fetch_was_killed_is_fetched_again(board, repository):
    """Git writes a commit before its trees. The clone was once useless from then on."""
    board.write("note.txt", b"new")
    commit_all(board.folder, "More")
    tip = git(board.folder, "rev-parse", "HEAD")
    raw = subprocess.run(
        ["git", "-C", str(board.folder), "cat-file", "commit", tip], check=True, capture_output=True
    ).stdout
    write = ["git", "-C", str(repository.folder), "hash-object", "-t", "commit", "-w", "--stdin"]
    subprocess.run(write, input=raw, check=True, capture_output=True)

    assert repository.fetch() == tip
    with repository.files(tip) as files:
        assert files.read("note.txt", 10) == b"new"
