"""Reads every signed file once: the bytes that are digested are the bytes that are parsed.

Nobody who can write to the folder can swap a file between the two. What is large is measured while
it is in memory, one run at a time, and then let go.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.layout import (
    MANIFEST,
    PLAN,
    RECORDS,
    RESULT,
    SUITE,
    TABLE,
    run_folder,
    tensor_files,
)
from leaderboard.formats.manifest import Manifest
from leaderboard.formats.plan import Plan
from leaderboard.formats.records import Chain, parse_chain
from leaderboard.formats.run import Run, StatedRun, parse_result
from leaderboard.formats.statement import Subject
from leaderboard.formats.suite import SuiteReference
from leaderboard.verification.tensors import ModuleTensors, measure

NEEDED = (PLAN, SUITE, MANIFEST, TABLE)
"""Files without which there is no entry."""
LONGEST_NAME = 255
"""Bytes of one part of a path."""
LARGEST = 256 << 20
"""Bytes of a document that are read."""
LARGEST_TENSORS = 8 << 30
"""Bytes of a file of tensors that are read."""

T = TypeVar("T")


class Reading(Generic[T]):
    """Holds the parsed file or its error; `get` raises the error in the check that needs it."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._content: T | None = None
        self._defect: DocumentError | None = None
        try:
            self._content = read()
        except DocumentError as error:
            self._defect = error

    @property
    def readable(self) -> bool:
        """Whether there is a content."""
        return self._defect is None

    def get(self) -> T:
        """The content; DocumentError if there is none."""
        if self._defect is not None:
            raise self._defect
        assert self._content is not None, "a reading has a content or a defect"
        return self._content


@dataclass(frozen=True)
class RunFiles:
    """What the signed files of one run hold; None where a file is not among them."""

    result: Reading[StatedRun] | None
    records: Reading[Chain] | None
    tensors: Reading[dict[str, ModuleTensors]] | None
    """By module; None unless all files of tensors are there."""


@dataclass
class SignedFiles:
    """All signed files of an entry."""

    plan: Reading[Plan]
    suite: Reading[SuiteReference]
    manifest: Reading[Manifest]
    table: bytes
    """results.csv"""
    digests: dict[str, str]
    """Name -> sha256 of every signed file."""
    folders: dict[str, RunFiles] = field(default_factory=dict)
    """By the folder of the run, `runs/task/regime/seed`."""

    def result(self, run: Run) -> StatedRun:
        """result.json of a run that has one among the signed files."""
        return _content(self.folders[run_folder(run.name)].result)

    def chain(self, run: Run) -> Chain:
        """records.jsonl of a run that has one among the signed files."""
        return _content(self.folders[run_folder(run.name)].records)

    def tensors(self, run: Run) -> dict[str, ModuleTensors]:
        """By module, of a run that has all files of tensors among the signed files."""
        return _content(self.folders[run_folder(run.name)].tensors)


def _content(reading: Reading[T] | None) -> T:
    assert reading is not None, "only files that are listed are asked for"
    return reading.get()


def read_files(folder: Path, subjects: Iterable[Subject]) -> SignedFiles:
    """Read the files of a statement. DocumentError names a file that is not as it was signed; what
    is wrong inside one is said by its Reading."""
    digests = _listed(folder, subjects)
    folders: dict[str, list[str]] = {}
    for name in digests:
        folders.setdefault(name.rpartition("/")[0], []).append(name)

    # The entry's own documents come first: the plan says which modules a run has tensors of.
    contents = _read_folder(folder, folders.pop(""), digests)
    files = SignedFiles(
        plan=Reading(lambda: parse(Plan, contents[PLAN], PLAN)),
        suite=Reading(lambda: parse(SuiteReference, contents[SUITE], SUITE)),
        manifest=Reading(lambda: parse(Manifest, contents[MANIFEST], MANIFEST)),
        table=contents[TABLE],
        digests=digests,
    )
    for location, names in folders.items():
        files.folders[location] = _read_run(folder, location, names, files)
    return files


def _listed(folder: Path, subjects: Iterable[Subject]) -> dict[str, str]:
    """Name -> sha256 of the listed files, each of which is in the folder, and listed once."""
    root = folder.resolve()
    digests: dict[str, str] = {}
    for subject in subjects:
        name = subject.name
        if name in digests:
            raise DocumentError(f"{name}: is listed twice")

        # A name that no file system holds is missing as well, but asking for it is an error.
        if any(len(part.encode()) > LONGEST_NAME for part in name.split("/")):
            raise DocumentError(f"{name[:100]}..: is longer than a file's name can be")

        # A name or a link that leads out of the folder would read any file of whoever verifies.
        path = folder / name
        if ".." in name.split("/") or not path.resolve().is_relative_to(root):
            raise DocumentError(f"{name}: points outside the entry's folder")
        if not path.is_file():
            raise DocumentError(f"{name}: is missing")
        digests[name] = subject.digest.sha256

    for name in NEEDED:
        if name not in digests:
            raise DocumentError(f"{name}: is not among the signed files")
    return digests


def _read_folder(folder: Path, names: list[str], digests: dict[str, str]) -> dict[str, bytes]:
    """The files of one folder by their last name, digests checked; empty bytes for those that
    nothing is read from."""
    contents: dict[str, bytes] = {}
    for name in names:
        content, sha256 = _read_once(folder / name, name)
        if sha256 != digests[name]:
            raise DocumentError(f"{name}: its bytes are not those that were signed")
        contents[name.rpartition("/")[2]] = content
    return contents


def _read_once(path: Path, name: str) -> tuple[bytes, str]:
    """Bytes and sha256 of a file. A file that nothing is read from is digested piece by piece."""
    is_tensors = path.suffix == ".safetensors"
    is_document = path.name in (*NEEDED, RESULT, RECORDS)
    with open(path, "rb") as file:
        # A file that nobody parses may be as large as it likes.
        if not is_tensors and not is_document:
            return b"", hashlib.file_digest(file, "sha256").hexdigest()

        # One that is parsed must fit into memory.
        size = os.fstat(file.fileno()).st_size
        limit = LARGEST_TENSORS if is_tensors else LARGEST
        if size > limit:
            raise DocumentError(f"{name}: has {size} bytes, at most {limit} are read")
        content = file.read()
    return content, hashlib.sha256(content).hexdigest()


def _read_run(folder: Path, location: str, names: list[str], files: SignedFiles) -> RunFiles:
    """The files of one run, whose bytes are let go when this returns."""
    contents = _read_folder(folder, names, files.digests)
    result = records = tensors = None
    if RESULT in contents:
        result = Reading(lambda: parse_result(contents[RESULT], f"{location}/{RESULT}"))
    if RECORDS in contents:
        records = Reading(lambda: parse_chain(contents[RECORDS], f"{location}/{RECORDS}"))

    # Without a plan the check `plan` fails, and nobody asks for tensors.
    modules = files.plan.get().modules if files.plan.readable else ()
    if modules and all(file in contents for file in tensor_files(modules)):
        tensors = Reading(lambda: measure(contents, modules, location))
    return RunFiles(result, records, tensors)
