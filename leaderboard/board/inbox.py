"""Statements that wait for signatures: inbox/<kind>-<digest>-<key>.dsse.json.

A file holds one signer's envelope, so two signers never conflict, and all that is asked of a signer
is a file. Once enough have signed, the statement is logged and its files leave the inbox. A new
trust root waits beside its statement: inbox/<digest>.root.json.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from leaderboard.board.files import Files
from leaderboard.board.repository import INBOX, STATEMENTS, root_path
from leaderboard.board.state import Board
from leaderboard.board.trial import Decision
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError
from leaderboard.formats.envelope import Envelope, EnvelopeError
from leaderboard.formats.log import root, statements
from leaderboard.formats.log.leaf import KINDS
from leaderboard.formats.log.root import parse_root
from leaderboard.formats.log.statements import Spoken, parse_spoken, statement_payload

NAME = re.compile(rf"({'|'.join(KINDS)})-([0-9a-f]{{16}})-([0-9a-f]{{16}})\.dsse\.json", re.ASCII)
"""Kind, beginning of the payload's digest, beginning of the signer's key id."""
ROOT = re.compile(r"[0-9a-f]{16}\.root\.json", re.ASCII)
COUNTERSIGNED = ("root", "suite", "admit", "revoke")
"""Kinds that maintainers, or holders of the root, sign together."""


@dataclass(frozen=True)
class Proposal:
    """A statement that is not logged yet, with the envelopes of those who have signed it."""

    payload: bytes
    envelopes: Mapping[str, bytes] = field(default_factory=dict)
    """`<key>.dsse.json` -> envelope."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Path -> content of the files that it waits in."""
    root: bytes | None = None
    """The trust root that it is about."""

    @cached_property
    def sha256(self) -> str:
        """Of its payload."""
        return hashlib.sha256(self.payload).hexdigest()

    @cached_property
    def spoken(self) -> Spoken:
        """What it says; DocumentError if it is no statement for a leaf of a known kind."""
        spoken = parse_spoken(self.payload, "the statement")
        if spoken.leaf.get("kind") not in KINDS:
            raise DocumentError("the statement: is for no leaf of a known kind")
        return spoken

    @property
    def kind(self) -> str:
        """Of its leaf."""
        return str(self.spoken.leaf["kind"])

    @property
    def countersigned(self) -> bool:
        """Whether several people sign it, who are maintainers or hold the root."""
        leaf = self.spoken.leaf
        retracted = self.kind == "retract" and leaf.get("key") is None
        return self.kind in COUNTERSIGNED or retracted or leaf.get("recovered") is True

    def decision(self) -> Decision:
        """What is logged once enough have signed it: its leaf, envelopes, and a trust root."""
        folder = f"{STATEMENTS}/{self.sha256}"
        files = dict[str, bytes | None]()
        files |= {f"{folder}/{name}": content for name, content in self.envelopes.items()}
        if self.root is not None:
            files[root_path(parse_root(self.root, "the root").version)] = self.root
        fields = {name: value for name, value in self.spoken.leaf.items() if name != "kind"}
        return Decision(self.kind, {**fields, "statement": self.sha256}, files)

    def with_envelope(self, content: bytes, path: str = "") -> Proposal:
        """The same, signed once more; `path`: where the envelope lies if not in the inbox."""
        opened = envelope.open_envelope(content)
        path = path or f"{INBOX}/{self._name(opened)}"
        files = {**self.files, path: content}
        envelopes = {**self.envelopes, f"{opened.key_id[:16]}.dsse.json": content}
        return replace(self, envelopes=envelopes, files=files)

    def _name(self, opened: Envelope) -> str:
        return f"{self.kind}-{self.sha256[:16]}-{opened.key_id[:16]}.dsse.json"

    def joined(self, files: Files) -> Proposal:
        """The same with what an inbox has of it besides: envelopes, and the trust root."""
        proposal = self
        for other in waiting(files, f"{self.kind}-{self.sha256[:16]}-"):
            if other.payload == self.payload:
                proposal = replace(
                    proposal,
                    envelopes={**other.envelopes, **proposal.envelopes},
                    files={**other.files, **proposal.files},
                )
        if self.kind == "root" and self.root is None:
            proposal = proposal._with_root(files)
        return proposal

    def _with_root(self, files: Files) -> Proposal:
        path = f"{INBOX}/{str(self.spoken.leaf.get('root'))[:16]}.root.json"
        if path.rpartition("/")[2] not in files.names(INBOX):
            return self
        content = files.read(path, root.LARGEST)
        return replace(self, files={**self.files, path: content}, root=content)


def root_proposal(content: bytes, location: str) -> Proposal:
    """The statement that a trust root comes into force. It follows from the root, so its holders
    sign one payload without having to agree on one."""
    proposed = parse_root(content, location)
    sha256 = hashlib.sha256(content).hexdigest()
    leaf = {"kind": "root", "version": proposed.version, "root": sha256}
    payload = statement_payload(proposed.origin, leaf, nonce=sha256[:32])
    return Proposal(payload, files={f"{INBOX}/{sha256[:16]}.root.json": content}, root=content)


def read_proposal(files: Files, path: str) -> Proposal:
    """The statement in one file of an inbox, with nobody else's envelope; DocumentError says what
    is wrong with the file."""
    name = path.rpartition("/")[2]
    if ROOT.fullmatch(name):
        proposal = root_proposal(files.read(path, root.LARGEST), path)
    elif NAME.fullmatch(name):
        proposal = parse_proposal(files.read(path, statements.LARGEST), path)
    else:
        raise DocumentError(f"{path[:100]}: is not named as statements of an inbox are")
    if set(proposal.files) != {path}:
        raise DocumentError(f"{path}: is not named after what it holds")
    return proposal


def parse_proposal(content: bytes, location: str, path: str = "") -> Proposal:
    """The statement in an envelope; DocumentError says what is wrong with it. `path`: where it lies
    if not in the inbox."""
    try:
        opened = envelope.open_envelope(content)
        proposal = Proposal(opened.payload)
        assert proposal.spoken, "is read here, so that its defects are named here"
        return proposal.with_envelope(content, path)
    except (DocumentError, EnvelopeError) as error:
        raise DocumentError(f"{location}: {error}") from None


def waiting(files: Files, prefix: str) -> Iterator[Proposal]:
    """What waits in the files whose names begin so, each by itself. A file that is no statement
    bars nobody else's."""
    for name in files.names(INBOX):
        if name.startswith(prefix) and NAME.fullmatch(name):
            try:
                yield read_proposal(files, f"{INBOX}/{name}")
            except DocumentError:
                continue


def role_keys(board: Board, proposal: Proposal) -> frozenset[str]:
    """Whose signatures count on a statement that several people sign."""
    if proposal.kind != "root":
        return board.root.maintainers.public_keys if board.roots else frozenset()
    keys = board.root.root.public_keys if board.roots else frozenset[str]()
    if proposal.root is not None:
        keys |= parse_root(proposal.root, "the root").root.public_keys
    return keys
