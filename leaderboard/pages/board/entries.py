"""Reads the entries of a board from its clone: verifies each, and draws its results once.

What was verified and drawn is kept under a digest of every file of the entry, of what the log says
of it, and of the code: the next site reads it and draws only what is new.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path

from leaderboard.board.state import LoggedEntry
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.envelope import EnvelopeError
from leaderboard.formats.layout import BEACON, ENTRY, PROOF, TENSORS
from leaderboard.formats.mirrors import KeptElsewhere, parse_kept
from leaderboard.formats.reading import read_limited
from leaderboard.formats.reeval import Level, read_reeval
from leaderboard.formats.signed import SignedError
from leaderboard.pages.board.summary import Summary, summarise
from leaderboard.pages.report import Measured, ReportInput, render_sections
from leaderboard.verification.checks import Documents, Verdict

ENTRIES = "entries"
REEVALS = "reeval*.dsse.json"
"""Re-evaluations that lie beside an entry."""
PROOFS = (PROOF, BEACON)
"""What proves a registration without the board."""
LARGEST = 16 << 20
"""Bytes of an entry that are read."""
LIBRARIES = ("matplotlib", "jinja2", "numpy", "scipy", "py_arkworks_bls12381")
"""What else decides a verdict, or the bytes of a drawing; the last need not be installed."""

Judge = Callable[[Path], Verdict]
"""The path of an entry -> what `verify` says of it."""


@dataclass(frozen=True)
class ReadEntry:
    """An entry's folder, verified and drawn."""

    folder: str
    """Seen from the board's folder."""
    summary: Summary
    sections: str
    """Its results as HTML; empty if it did not verify."""
    tensors: KeptElsewhere | None
    """tensors.json; None if there is none, or none that can be read."""
    proofs: tuple[str, ...]
    """Files of PROOFS that lie beside it."""


@dataclass(frozen=True)
class _Kept:
    """What is kept of an entry between two sites."""

    summary: Summary
    sections: str


class EntryReader:
    """Reads the entries of one board. `kept`: a folder for what was drawn before."""

    def __init__(self, board: Path, judge: Judge, kept: Path) -> None:
        self.board = board
        self.judge = judge
        self.kept = kept
        self._code = code_digest()
        self._folders = dict(_folders(board))
        self._used = set[str]()

    def read(
        self, entry: LoggedEntry, measured: Mapping[str, Level], witnessed: int | None
    ) -> ReadEntry | None:
        """The folder of a logged entry; None if the board has no folder with its payload.

        `measured`: digest of each of its re-evaluations in the log -> level. `witnessed`: when a
        quorum had seen its registration.
        """
        folder = self._folders.get(entry.leaf.entry)
        if folder is None:
            return None
        said = [str(entry.disputed), str(witnessed), *sorted(measured)]
        name = self._key(folder, said)
        kept = self._recall(name)
        if kept is None:
            kept = self._draw(folder, measured)
            self._keep(name, kept)
        self._used.add(name)
        shown = folder.relative_to(self.board).as_posix()
        proofs = tuple(proof for proof in PROOFS if (folder / proof).is_file())
        return ReadEntry(shown, kept.summary, kept.sections, read_tensors(folder), proofs)

    def forget_others(self) -> None:
        """Remove what no entry of this board needs any more."""
        for path in self.kept.glob("*.json"):
            if path.stem not in self._used:
                path.unlink()

    # -- verify and draw --

    def _draw(self, folder: Path, logged: Mapping[str, Level]) -> _Kept:
        """Verify an entry, and draw it if it verifies."""
        verdict = self.judge(folder / ENTRY)
        if verdict.documents is None:
            return _Kept(summarise(verdict, None), "")
        documents = verdict.documents
        report = dataclasses.replace(
            ReportInput.of(verdict), measured=measured_again(folder, documents, logged)
        )
        sections = render_sections(report, lambda name: _read_if_signed(documents, name))
        return _Kept(summarise(verdict, report), sections)

    # -- what was drawn before --

    def _key(self, folder: Path, said: list[str]) -> str:
        """What names an entry as it is now: a digest of its files, the log's word and the code."""
        digest = hashlib.sha256()
        for part in (self._code, *said, *_files(folder)):
            digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()

    def _recall(self, name: str) -> _Kept | None:
        """What is kept under a name; None if nothing, or nothing whole."""
        try:
            content = (self.kept / f"{name}.json").read_bytes()
            return parse(_Kept, content, name)
        except (FileNotFoundError, DocumentError):
            return None

    def _keep(self, name: str, kept: _Kept) -> None:
        self.kept.mkdir(parents=True, exist_ok=True)
        part = self.kept / f".{name}.{os.getpid()}"
        part.write_text(json.dumps(asdict(kept)), encoding="utf-8")
        part.replace(self.kept / f"{name}.json")


def measured_again(
    folder: Path, documents: Documents, logged: Mapping[str, Level]
) -> Measured | None:
    """The scores of the last re-evaluation beside an entry that the log names.

    `logged`: digest of a payload -> level.
    """
    measured = None
    for path in sorted(folder.glob(REEVALS)):
        try:
            signed = read_reeval(path, documents.payload_sha256, trust=None)
        except SignedError:
            continue
        stated = signed.statement.predicate
        names = {run.name for run in documents.statement.predicate.runs if run.finished}
        if signed.payload_sha256 in logged and {run.run for run in stated.runs} == names:
            scores = {run.run: run.fresh for run in stated.runs}
            level = logged[signed.payload_sha256]
            who = "a runner of the board" if level == "L3" else "a re-evaluator"
            key = stated.signer.key_id
            measured = Measured(scores, who, key, stated.fresh_episodes, level)
    return measured


def read_tensors(folder: Path) -> KeptElsewhere | None:
    """tensors.json; None if it is not there or cannot be read."""
    try:
        return parse_kept(read_limited(folder / TENSORS, LARGEST, TENSORS), TENSORS)
    except (OSError, ValueError):
        return None


def _read_if_signed(documents: Documents, name: str) -> bytes | None:
    return documents.files.read(name) if name in documents.files.digests else None


def _folders(board: Path) -> Iterator[tuple[str, Path]]:
    """Digest of the payload and folder of every entry: entries/<suite>-v<version>/<plan id>."""
    for path in sorted((board / ENTRIES).glob(f"*/*/{ENTRY}")):
        if path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink():
            continue
        try:
            opened = envelope.open_envelope(read_limited(path, LARGEST, ENTRY))
        except (OSError, EnvelopeError, DocumentError):
            continue
        yield opened.payload_sha256, path.parent


def _files(folder: Path) -> Iterator[str]:
    """Name and digest of every file below a folder; no link is followed."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            yield path.relative_to(folder).as_posix()
            if path.is_symlink():
                yield f"link to {path.readlink()}"
                continue
            with open(path, "rb") as file:
                yield hashlib.file_digest(file, "sha256").hexdigest()


def code_digest() -> str:
    """What names the code and the templates that pages come from, and the libraries that draw."""
    digest = hashlib.sha256()
    for path, content in _sources(resources.files("leaderboard"), "leaderboard"):
        digest.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
    for library in LIBRARIES:
        digest.update(f"{library} {_version(library)}\0".encode())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "none"


def _sources(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file of the package, in one order."""
    for child in sorted(folder.iterdir(), key=lambda child: child.name):
        if child.name == "__pycache__":
            continue
        if child.is_dir():
            yield from _sources(child, f"{path}/{child.name}")
        else:
            yield f"{path}/{child.name}", child.read_bytes()
