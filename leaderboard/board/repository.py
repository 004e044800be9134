"""What a board's repository holds: leaves, statements, trust roots, checkpoints.

log/leaves/000.jsonl                    256 leaves a file
log/checkpoint                          the newest signed checkpoint
log/checkpoints/<size>                  every signed checkpoint, with cosignatures
statements/<sha256>/<key>.dsse.json     what was signed for a leaf, an envelope for each signer
trust/<version>.root.json               the trust root
inbox/                                  what pull requests add
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from leaderboard.board.files import Files
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log import bundle, note, root, statements
from leaderboard.formats.log.root import Root, parse_root
from leaderboard.formats.log.statements import NAME, SignedStatement, parse_statement
from leaderboard.formats.spelling import decode_decimal

LEAVES = "log/leaves"
CHECKPOINT = "log/checkpoint"
CHECKPOINTS = "log/checkpoints"
STATEMENTS = "statements"
INBOX = "inbox"
COSIGNATURE = re.compile(r"cosignature-([0-9]{1,19})-([0-9a-f]{8})\.note", re.ASCII)
"""A cosigned checkpoint that a witness hands in: size and key id."""


def checkpoint_path(size: int) -> str:
    """The file of the checkpoint of a log of this size."""
    return f"{CHECKPOINTS}/{size}"


def root_path(version: int) -> str:
    """The file of a version of the trust root."""
    return f"trust/{version}.root.json"


def read_leaves(files: Files) -> list[bytes]:
    """All leaves, in their order; DocumentError says what is wrong with their files."""
    names = files.names(LEAVES)
    for name in names:
        if bundle.bundle_number(name) is None:
            raise DocumentError(f"{LEAVES}/{name}: is no bundle of leaves")
    if len(names) > bundle.MOST_BUNDLES:
        raise DocumentError(f"{LEAVES}: has more than {bundle.MOST_BUNDLES} bundles")

    # Bundle after bundle: none is missing, and all but the last are full.
    leaves = list[bytes]()
    for number in range(len(names)):
        path = f"{LEAVES}/{bundle.bundle_name(number)}"
        if len(leaves) < number * bundle.WIDTH:
            raise DocumentError(f"{path}: follows a bundle that is not full")
        leaves += bundle.parse_bundle(files.read(path, bundle.LARGEST), path)
    return leaves


def read_checkpoints(files: Files) -> dict[int, bytes]:
    """Size -> note of every signed checkpoint, in the order of sizes. The newest is also the one
    that readers fetch first; DocumentError if it is not."""
    notes = dict[int, bytes]()
    for name in files.names(CHECKPOINTS):
        try:
            size = decode_decimal(name)
        except ValueError as error:
            raise DocumentError(f"{CHECKPOINTS}/{name[:80]}: {error}") from None
        notes[size] = files.read(f"{CHECKPOINTS}/{name}", note.LARGEST)
    notes = dict(sorted(notes.items()))

    newest = list(notes.values())[-1:]
    if newest and files.read(CHECKPOINT, note.LARGEST) != newest[0]:
        raise DocumentError(f"{CHECKPOINT}: is not the newest of {CHECKPOINTS}")
    return notes


@dataclass(frozen=True)
class RepositoryDocuments:
    """Statements and trust roots of a board's repository (ledger.py)."""

    files: Files

    def statement(self, sha256: str) -> SignedStatement:
        """The statement of this digest; DocumentError if it is not there."""
        folder = f"{STATEMENTS}/{sha256}"
        names = self.files.names(folder)
        if len(names) > statements.MOST_SIGNERS:
            raise DocumentError(f"{folder}: has more than {statements.MOST_SIGNERS} signers")
        for name in names:
            if not NAME.fullmatch(name):
                raise DocumentError(f"{folder}/{name[:80]}: is no envelope")
        contents = {name: self.files.read(f"{folder}/{name}", statements.LARGEST) for name in names}
        return parse_statement(sha256, contents, folder)

    def root(self, version: int, sha256: str) -> Root:
        """The trust root of this version and digest; DocumentError if it is not there."""
        path = root_path(version)
        content = self.files.read(path, root.LARGEST)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DocumentError(f"{path}: has another digest than its leaf says")
        return parse_root(content, path)
