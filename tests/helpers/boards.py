"""Boards made by hand: a trust root, leaves with their statements, and clones under git."""

import hashlib
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives import serialization

from harness.files import dump_json
from helpers.beacons import CHAIN
from helpers.logs import ORIGIN, TIME
from leaderboard.board.files import FolderFiles
from leaderboard.board.log import read_log
from leaderboard.board.repository import CHECKPOINT, LEAVES, STATEMENTS, checkpoint_path, root_path
from leaderboard.formats import envelope
from leaderboard.formats.keys import SigningKey, one_use_key
from leaderboard.formats.log.bundle import bundle_files
from leaderboard.formats.log.checkpoint import cosign_checkpoint, sign_checkpoint
from leaderboard.formats.log.leaf import AdmitLeaf, EntryLeaf, RegisterLeaf, RootLeaf, SuiteLeaf
from leaderboard.formats.log.note import Note
from leaderboard.formats.log.root import ROOT_SCHEMA, Role, Root, RootKey
from leaderboard.formats.log.statements import statement_payload

DAY = 86_400
DELAY = 3600
WITNESSES = ("example.org/w1", "example.com/w2")


@dataclass
class Keys:
    """Private keys of everybody on a board."""

    maintainers: list[SigningKey] = field(default_factory=lambda: [one_use_key() for _ in range(3)])
    logs: list[SigningKey] = field(default_factory=lambda: [one_use_key() for _ in range(2)])
    witnesses: list[SigningKey] = field(default_factory=lambda: [one_use_key() for _ in WITNESSES])
    judge: SigningKey = field(default_factory=one_use_key)
    runner: SigningKey = field(default_factory=one_use_key)
    submitter: SigningKey = field(default_factory=one_use_key)
    other: SigningKey = field(default_factory=one_use_key)


def role(keys, threshold=1, names=None):
    """A role of these keys."""
    names = names or [f"key{number}" for number in range(len(keys))]
    rows = tuple(RootKey(name, key.public_hex) for name, key in zip(names, keys, strict=True))
    return Role(threshold if keys else 0, rows)


def root_of(keys, **changes):
    """A trust root of these keys: two of three maintainers, two of two witnesses."""
    fields = {
        "schema": ROOT_SCHEMA,
        "version": 1,
        "origin": ORIGIN,
        "expires": TIME + 3650 * DAY,
        "delay": DELAY,
        "deadline": 90 * DAY,
        "beacon": CHAIN,
        "root": role(keys.maintainers, 2),
        "maintainers": role(keys.maintainers, 2),
        "log": role(keys.logs),
        "witnesses": role(keys.witnesses, 2, WITNESSES),
        "reevaluators": role([keys.judge]),
        "runners": role([keys.runner]),
    }
    return Root(**(fields | changes))


def digest(text):
    """A digest of something that does not matter."""
    return hashlib.sha256(str(text).encode()).hexdigest()


class BoardFolder:
    """A board in a folder, to which leaves are appended without asking the rules."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self.folder = folder
        self.keys = keys
        self.leaves: list[bytes] = []
        self.at = TIME

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def log(self):
        """The log as a reader reads it."""
        return read_log(FolderFiles(self.folder))

    def append(self, kind, signers, *, reason="", origin=ORIGIN, at=None, stated=None, **fields):
        """Append a leaf whose statement these keys sign; its position. `stated`: what the
        statement says instead."""
        self.at = self.at + 1 if at is None else at
        draft = kind(at=self.at, statement="0" * 64, **fields)
        payload = statement_payload(origin, stated or draft.stated(), reason)
        statement = hashlib.sha256(payload).hexdigest()
        for key in signers:
            content = dump_json(envelope.sign(payload, key))
            self.write(f"{STATEMENTS}/{statement}/{key.key_id[:16]}.dsse.json", content)
        self.append_raw(kind(at=self.at, statement=statement, **fields).content())
        return len(self.leaves) - 1

    def append_raw(self, leaf):
        """Append a line as it is."""
        self.leaves.append(leaf)
        for name, content in bundle_files(self.leaves, len(self.leaves) - 1).items():
            self.write(f"{LEAVES}/{name}", content)

    def root(self, root, signers, **changes):
        """Append a version of the trust root."""
        content = dump_json(asdict(root))
        self.write(root_path(root.version), content)
        fields = {"version": root.version, "root": hashlib.sha256(content).hexdigest(), **changes}
        return self.append(RootLeaf, signers, origin=root.origin, **fields)

    def admit(self, key, signers=None):
        signers = signers or self.keys.maintainers[:2]
        return self.append(AdmitLeaf, [*signers, key], public_key=key.public_hex)

    def suite(self, state="open", version=1, signers=None, successor=None, plan="plan", **changes):
        return self.append(
            SuiteLeaf,
            signers or self.keys.maintainers[:2],
            suite="dmc-hard",
            version=version,
            state=state,
            plan=digest(plan),
            successor=successor,
            **changes,
        )

    def register(self, key=None, draft="draft", signers=None, **changes):
        key = key or self.keys.submitter
        fields = {
            "key": key.key_id,
            "suite": "dmc-hard",
            "version": 1,
            "draft": digest(draft),
            "image": digest("image"),
            "blinded": False,
        }
        return self.append(RegisterLeaf, signers or [key], **(fields | changes))

    def entry(self, registration, key=None, name="entry", **changes):
        key = key or self.keys.submitter
        fields = {
            "key": key.key_id,
            "registration": registration,
            "entry": digest(name),
            "policies": digest(f"policies of {name}"),
            "licence": "CC-BY-4.0",
        }
        return self.append(EntryLeaf, [key], **(fields | changes))

    def sign(self, key=None, witnesses=(), time=None, size=None):
        """Write a signed checkpoint of the first `size` leaves; `witnesses`: numbers."""
        size = size or len(self.leaves)
        checkpoint = self.log().checkpoint(size)
        lines = [sign_checkpoint(checkpoint, key or self.keys.logs[0])]
        for number in witnesses:
            witness = self.keys.witnesses[number]
            lines.append(cosign_checkpoint(checkpoint, witness, WITNESSES[number], time or self.at))
        content = Note(checkpoint.text(), tuple(lines)).content()
        self.write(checkpoint_path(size), content)
        self.write(CHECKPOINT, content)
        return content


def new_board(folder, keys=None, at=TIME):
    """A board with its trust root, an open suite and an admitted submitter: three leaves."""
    board = BoardFolder(folder, keys or Keys())
    board.at = at
    board.root(root_of(board.keys), board.keys.maintainers[:2])
    board.suite()
    board.admit(board.keys.submitter)
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
    other.sign(board.keys.logs[1])
    return other


def git(folder, *arguments):
    """What git prints, as somebody."""
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def clone(remote, folder):
    """A clone whose owner git knows."""
    git(folder.parent, "clone", "--quiet", str(remote), str(folder))
    git(folder, "config", "user.name", "somebody")
    git(folder, "config", "user.email", "somebody@example.org")
    return folder


def commit_all(folder, message="change"):
    """Commit and push everything in a clone."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    git(folder, "push", "--quiet", "origin", "HEAD:main")


def served(board, folder):
    """A bare repository that holds a board, and a clone of it that the board writes to."""
    remote = folder / "remote.git"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(board.folder, "init", "--quiet", "--initial-branch=main")
    git(board.folder, "config", "user.name", "somebody")
    git(board.folder, "config", "user.email", "somebody@example.org")
    git(board.folder, "remote", "add", "origin", str(remote))
    commit_all(board.folder, "A board")
    return remote


def json_of(finished):
    """The document that a command printed."""
    return json.loads(finished.stdout)


def key_file(folder, key, name="key.pem"):
    """A private key in a file that only its owner may read."""
    path = folder / name
    pem = key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return path


@contextmanager
def user(folder):
    """As somebody with a configuration of their own, which is below this folder."""
    with mock.patch.dict(os.environ, {"XDG_CONFIG_HOME": str(folder)}):
        yield
