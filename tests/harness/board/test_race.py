"""Maintainers who append and sign at the same moment, and are killed at any."""

import os
import random
import time

import pytest

from helpers.boards import Keys, clone, git, key_file, new_board, served
from helpers.forked import forks
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import read_log
from leaderboard.formats.log.checkpoint import parse_checkpoint
from leaderboard.formats.log.note import parse_note

ROUNDS = int(os.environ.get("MST_BENCH_TEST_ROUNDS", "8"))
"""Of the race; more for a hunt."""
LONGEST = 0.6
"""Seconds until the kill: what a command takes while four of them race."""
KEYS = Keys()

SIGN = """
import sys
from pathlib import Path
from harness.board.git import Repository
from harness.board.sign import sign_log
from harness.errors import UserError
from leaderboard.formats import keys
try:
    sign_log(Repository(Path(sys.argv[1])), keys.load(Path(sys.argv[2])))
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(error.code)
"""
ACCEPT = """
import hashlib, sys
from pathlib import Path
from harness.board.accept import accept
from harness.board.git import Repository
from harness.board.statements import signed_by
from harness.errors import UserError
from harness.files import write_atomic
from leaderboard.formats import keys
folder, key, draft, origin = Path(sys.argv[1]), keys.load(Path(sys.argv[2])), *sys.argv[3:]
leaf = {"kind": "register", "key": key.key_id, "suite": "dmc-hard", "version": 1, "blinded": False,
        "draft": hashlib.sha256(draft.encode()).hexdigest(), "image": "0" * 64}
((path, content),) = signed_by([key], leaf, origin, "").files.items()
write_atomic(folder / path, content)
try:
    print(accept(Repository(folder), path, None).index)
except UserError as error:
    print(error, file=sys.stderr)
    sys.exit(error.code)
"""


class Maintainer:
    """A clone, a key and a memory of their own."""

    def __init__(self, server, folder, remote, key):
        folder.mkdir()
        self.server = server
        self.folder = folder
        self.clone = clone(remote, folder / "board")
        self.key = key_file(folder, key, "log.pem")
        self.submitter = key_file(folder, KEYS.submitter, "submitter.pem")

    def start(self, code, *arguments):
        config = str(self.folder / "config")
        return self.server.start(code, self.clone, *arguments, XDG_CONFIG_HOME=config)

    def sign(self):
        return self.start(SIGN, self.key)

    def accept(self, draft):
        return self.start(ACCEPT, self.submitter, draft, "example.org/board")


def kill(process, after, remote):
    """Kills a process and its git after a while, if it is still there.

    Here the server's half of a push belongs to the same processes. A server of its own goes on, so
    a lock that its half left behind is removed.
    """
    time.sleep(after)
    if process.running():
        process.kill()
        process.ended()
        for lock in (remote / "refs").rglob("*.lock"):
            lock.unlink(missing_ok=True)


def ever_published(remote):
    """Every note that any commit of the remote's main branch holds, by size."""
    roots = {}
    commits = git(remote, "rev-list", "main").split()
    for commit in commits:
        for path in git(remote, "ls-tree", "-r", "--name-only", commit, "log/checkpoints").split():
            content = git(remote, "show", f"{commit}:{path}") + "\n"
            checkpoint = parse_checkpoint(parse_note(content.encode(), path).text, path)
            roots.setdefault(checkpoint.size, set()).add(checkpoint.root)
    return roots


@pytest.fixture
def server(tmp_path):
    """Starts processes that have imported all they need."""
    with forks(tmp_path, "harness.board.accept", "harness.board.sign") as server:
        yield server


@pytest.mark.slow
def test_racing_maintainers_sign_no_fork_and_lose_no_leaf(server, tmp_path):
    """Each round two accept and two sign at once, and one of them is killed at a random moment."""
    draw = random.Random(0)
    (tmp_path / "author").mkdir()
    remote = served(new_board(tmp_path / "author", KEYS), tmp_path)
    people = [
        Maintainer(server, tmp_path / f"m{index}", remote, key)
        for index, key in enumerate(KEYS.logs)
    ]

    logged = dict[str, int]()
    for number in range(ROUNDS):
        running = {
            f"{number}/{index}": p.accept(f"{number}/{index}") for index, p in enumerate(people)
        }
        signing = [person.sign() for person in people]
        victim = draw.choice([*running.values(), *signing])
        kill(victim, draw.uniform(0.0, LONGEST), remote)
        for draft, process in running.items():
            code, stdout, stderr = process.ended()
            assert process is victim or code in (0, 3), stderr
            if code == 0:
                logged[draft] = int(stdout)
        for process in signing:
            code, _, stderr = process.ended()
            assert process is victim or code in (0, 3), stderr

    # Whoever goes on, goes on: no lock is left behind.
    for person in people:
        code, _, stderr = person.sign().ended()
        assert code == 0, stderr
    log = read_log(FolderFiles(clone(remote, tmp_path / "stranger")))
    assert log.newest.checkpoint.size == log.size

    # No two trees of one size were ever published; each accepted leaf is where its command said.
    assert all(len(roots) == 1 for roots in ever_published(remote).values())
    assert all(index in log.board.registrations for index in logged.values())
    assert len(set(logged.values())) == len(logged)
    drafts = [registration.leaf.draft for registration in log.board.registrations.values()]
    assert len(set(drafts)) == len(drafts) >= len(logged)
