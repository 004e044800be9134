"""Entries of registered plans, and people who hand them in to a board and accept them."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from harness.files import dump_json
from helpers.boards import (
    DAY,
    Keys,
    clone,
    commit_all,
    digest,
    git,
    key_file,
    new_board,
    served,
    user,
)
from helpers.logs import ORIGIN
from helpers.program import call
from helpers.registered import Registered
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import read_log
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError
from leaderboard.formats.envelope import open_envelope
from leaderboard.formats.log.statements import statement_payload
from leaderboard.formats.mirrors import TENSORS_SCHEMA
from leaderboard.formats.plan import parse_plan
from leaderboard.formats.statement import read_entry_statement
from leaderboard.verification.submission import policies_digest

SUITE = "own-tiny"
MIRROR = "https://example.org/tensors"


@dataclass
class Scene:
    """A board on a server, the clone of its author, and everybody's keys."""

    folder: Path
    board: object
    """The author's (boards.py)."""
    remote: Path
    keys: Keys

    def person(self, name):
        """Somebody with a clone and a memory of their own."""
        folder = self.folder / name
        folder.mkdir()
        return Someone(folder, clone(self.remote, folder / "board"), self)

    def push(self, message="Leaves"):
        """What the author wrote."""
        commit_all(self.board.folder, message)

    def log(self):
        """The log as a stranger gets it."""
        folder = self.folder / "stranger"
        shutil.rmtree(folder, ignore_errors=True)
        return read_log(FolderFiles(clone(self.remote, folder)))

    def head(self):
        """The commit of the main branch."""
        return git(self.board.folder, "ls-remote", "origin", "refs/heads/main").split()[0]

    def paths(self):
        """All files of the main branch."""
        return git(self.remote, "ls-tree", "-r", "--name-only", "main").splitlines()


@dataclass
class Someone:
    """Somebody around a board."""

    folder: Path
    clone: Path
    scene: Scene

    def key(self, key):
        """The file of a key."""
        return key_file(self.folder, key, f"{key.key_id[:16]}.pem")

    def run(self, *words, key=None):
        """`mst-bench` in the clone of this person, with a key."""
        arguments = [*words, *(("--key", self.key(key)) if key else ()), "--board", self.clone]
        with user(self.folder / "config"):
            return call(*arguments)

    def pull(self):
        """The main branch as it is now; what was written for a pull request stays."""
        git(self.clone, "fetch", "--quiet", "origin")
        git(self.clone, "checkout", "--quiet", "--detach", "origin/main")

    def pull_request(self, *paths):
        """Commit what was written on a branch of its own."""
        git(self.clone, "add", "--all", *(paths or (".",)))
        git(self.clone, "commit", "--quiet", "--message", "change")

    def check(self):
        """`board check` of the pull request."""
        git(self.clone, "fetch", "--quiet", "origin")
        return self.run("board", "check")

    def waiting(self, kind):
        """The files of a kind in the inbox of the clone."""
        return sorted(f"inbox/{at.name}" for at in (self.clone / "inbox").glob(f"{kind}-*"))


def scene_of(folder, keys=None):
    """A board of three leaves on a server, which was set up yesterday."""
    keys = keys or Keys()
    (folder / "author").mkdir()
    board = new_board(folder / "author", keys, int(time.time()) - DAY)
    return Scene(folder, board, served(board, folder), keys)


def registered_entry(scene, entry, parent, key=None):
    """An entry whose plan was registered on a board, not signed yet."""
    parent.mkdir(parents=True, exist_ok=True)
    made = Registered(entry, parent, scene.keys, SUITE, scene.board)
    made.register(key=key).witness().claim()
    scene.push()
    return made


def by_hand(person, forgery, key, place=None, files=None, **changes):
    """Write a signed entry into a clone as `submit` would if it were not honest; its folder.

    `files`: others to write, or None to leave one out; `changes`: other fields of the leaf.
    """
    opened = open_envelope(forgery.entry.read_bytes())
    plan_id = forgery.predicate["plan"]["id"]
    place = place or f"entries/{SUITE}-v1/{plan_id}"
    leaf = {
        "kind": "entry",
        "key": key.key_id,
        "registration": forgery.predicate["plan"]["log_index"],
        "entry": opened.payload_sha256,
        "policies": _policies(opened.payload, forgery),
        "licence": "CC-BY-4.0",
        **changes,
    }
    signed = envelope.sign(statement_payload(ORIGIN, leaf), key)
    written = {"submission.dsse.json": dump_json(signed), **kept_files(forgery)}
    for name, content in (written | (files or {})).items():
        path = person.clone / place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content)
    return person.clone / place


def _policies(payload, forgery):
    """What names the runs, as far as the entry is one."""
    try:
        statement = read_entry_statement(json.loads(payload))
        plan = parse_plan((forgery.folder / "plan.json").read_bytes(), "plan.json")
        return policies_digest(statement, plan)
    except DocumentError:
        return digest("policies")


def kept_files(forgery):
    """What a board keeps of a signed entry."""
    kept = {}
    tensors = []
    for listed in forgery.statement["subject"]:
        content = (forgery.folder / listed["name"]).read_bytes()
        if listed["name"].endswith(".safetensors"):
            sha256 = listed["digest"]["sha256"]
            tensors.append({"name": listed["name"], "sha256": sha256, "size": len(content)})
        else:
            kept[listed["name"]] = content
    document = {"schema": TENSORS_SCHEMA, "mirrors": [MIRROR], "tensors": tensors}
    return kept | {
        "entry.dsse.json": forgery.entry.read_bytes(),
        "tensors.json": dump_json(document),
    }


def done(finished):
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def refused(finished, sentence, code=4):
    assert finished.returncode == code, finished.stdout + finished.stderr
    assert sentence in finished.stderr and finished.stderr.count("\n") == 1, finished.stderr
