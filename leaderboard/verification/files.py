"""Reads every signed file once: the bytes that are digested are the bytes that are parsed.

Nobody who can write to the folder can swap a file between the two. What is large is measured while
it is in memory, one run at a time, and then let go; who needs it again reads it with `SignedFiles`,
which compares its digest again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from leaderboard.formats import mirrors, registration
from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import (
    MANIFEST,
    MASKS,
    PLAN,
    RECORDS,
    RESULT,
    SUITE,
    TABLE,
    TENSORS,
    TIMING,
    run_file,
    tensor_files,
    weights_file,
)
from leaderboard.formats.plan import Plan
from leaderboard.formats.reading import read_limited
from leaderboard.formats.records import Chain, parse_chain
from leaderboard.formats.run import MOST_SIGNATURES, Run, StatedRun, parse_result
from leaderboard.formats.statement import Subject
from leaderboard.verification.tensors import ModuleTensors, measure

DOCUMENTS = (PLAN, SUITE, MANIFEST, TABLE)
"""Files without which there is no entry."""
LONGEST_NAME = 255
"""Bytes of one part of a path."""
LARGEST = 16 << 20
"""Bytes of a document that are read."""
LARGEST_RECORD = 1 << 16
"""Bytes of a record, without its returns."""
LARGEST_RETURN = 32
"""Bytes of a return, as JSON writes it."""
LARGEST_TENSORS = 2 << 30
"""Bytes of a file of tensors that are read, however large a plan's networks are."""
SLACK = 1 << 20
"""Bytes that a file of tensors may have beside its tensors."""

T = TypeVar("T")


class MissingFile(DocumentError):
    """A listed file that is not there."""


class Reading(Generic[T]):
    """Holds the parsed file or its error; `get` raises the error in the check that needs it."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._content: T | None = None
        self._defect: DocumentError | None = None
        try:
            self._content = read()
        except DocumentError as error:
            self._defect = error

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
    """By module; None unless all files of tensors are listed and there."""


@dataclass
class SignedFiles:
    """All signed files of an entry."""

    folder: Path
    digests: dict[str, str]
    """Name -> sha256 of every signed file."""
    documents: dict[str, bytes]
    """Plan, suite, manifest, table and registration, as they were signed."""
    limits: dict[str, int] = field(default_factory=dict)
    """Name -> most bytes of a file of a run."""
    runs: dict[str, RunFiles] = field(default_factory=dict)
    """By the name of the run, `task/regime/seed`."""
    tensors_folder: Path | None = None
    """Where files of tensors are looked for that do not lie beside the entry."""
    kept: mirrors.KeptElsewhere = mirrors.NOTHING
    """Files of tensors that are said to be kept elsewhere."""
    absent: set[str] = field(default_factory=set)
    """Those among them that were found nowhere."""

    def result(self, run: Run) -> StatedRun:
        """result.json of a run that has one among the signed files."""
        return _content(self.runs[run.name].result)

    def chain(self, run: Run) -> Chain:
        """records.jsonl of a run that has one among the signed files."""
        return _content(self.runs[run.name].records)

    def tensors(self, run: Run) -> dict[str, ModuleTensors]:
        """By module, of a run that has all files of tensors among the signed files."""
        return _content(self.runs[run.name].tensors)

    def read(self, name: str) -> bytes:
        """The bytes of a signed file, the very ones that were signed.

        DocumentError if it is not among them, cannot be read, or was changed since.
        """
        if name in self.documents:
            return self.documents[name]
        if name not in self.digests:
            raise DocumentError(f"{name}: is not among the signed files")
        content = self.find(name)
        if content is None:
            raise DocumentError(f"{name}: is kept elsewhere; name its folder with --tensors")
        return content

    def find(self, name: str) -> bytes | None:
        """The bytes of a listed file of a run; None for tensors that are kept elsewhere and were
        not found."""
        sha256 = self.digests[name]
        limit = self.limits[name]
        try:
            return _read(self.folder, name, sha256, limit)
        except MissingFile:
            if not name.endswith(mirrors.ENDING):
                raise

        # Tensors may lie in another folder, or where tensors.json says.
        try:
            if self.tensors_folder is not None:
                return _read(self.tensors_folder, name, sha256, limit)
            raise MissingFile(f"{name}: is missing")
        except MissingFile:
            if name not in self.kept.files:
                raise
        self.absent.add(name)
        return None


def _content(reading: Reading[T] | None) -> T:
    assert reading is not None, "only files that are listed are asked for"
    return reading.get()


# -- the entry's own documents --


def read_documents(
    folder: Path, subjects: Iterable[Subject], tensors: Path | None = None
) -> SignedFiles:
    """Read the documents of a statement; the files of its runs follow (`read_runs`).

    `tensors`: another folder that files of tensors may lie in. DocumentError names a document that
    is missing, or not as it was signed.
    """
    digests: dict[str, str] = {}
    for subject in subjects:
        if subject.name in digests:
            raise DocumentError(f"{subject.name}: is listed twice")
        digests[subject.name] = subject.digest.sha256
    for name in DOCUMENTS:
        if name not in digests:
            raise DocumentError(f"{name}: is not among the signed files")

    documents = {name: _read(folder, name, digests[name], LARGEST) for name in DOCUMENTS}
    for name, limit in registration.LIMITS.items():
        if name in digests:
            documents[name] = _read(folder, name, digests[name], limit)
    return SignedFiles(folder, digests, documents, tensors_folder=tensors)


def _read(folder: Path, name: str, sha256: str, limit: int) -> bytes:
    """The bytes of a listed file, at most `limit`, if they are those that were signed."""
    path = _path(folder, name)
    try:
        content = read_limited(path, limit, name)
    except FileNotFoundError:
        raise MissingFile(f"{name}: is missing") from None
    except OSError as error:
        raise DocumentError(f"{name}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DocumentError(f"{name}: its bytes are not those that were signed")
    return content


def _path(folder: Path, name: str) -> Path:
    """Where a listed file lies. A name or a link that leads out of the folder would read any file
    of whoever verifies."""
    parts = name.split("/")
    if any(len(part.encode(errors="replace")) > LONGEST_NAME for part in parts):
        raise DocumentError(f"{name[:100]}..: is longer than a file's name can be")
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        raise DocumentError(f"{name}: is a link that leads nowhere") from None
    if not inside or any(part in ("", ".", "..") for part in parts):
        raise DocumentError(f"{name}: points outside the entry's folder")
    return path


# -- the files of its runs --


def read_runs(files: SignedFiles, plan: Plan) -> None:
    """Read the files of every run. DocumentError names a file that no run has, or that is not as it
    was signed; what is wrong inside one is said by its Reading."""
    for run in plan.runs:
        files.limits |= {run_file(run.name, file): size for file, size in _limits(plan, run)}
    documents = {*DOCUMENTS, *(registration.LIMITS if plan.registered else ())}
    for name in files.digests:
        if name not in files.limits and name not in documents:
            raise DocumentError(f"{name}: is no file of an entry of this plan")
    files.kept = _kept_elsewhere(files)
    for run in plan.runs:
        files.runs[run.name] = _read_run(files, plan, run)


def _kept_elsewhere(files: SignedFiles) -> mirrors.KeptElsewhere:
    """What tensors.json says, which lies beside the entry unsigned; DocumentError if it names other
    bytes than were signed."""
    try:
        content = read_limited(_path(files.folder, TENSORS), mirrors.LARGEST, TENSORS)
    except FileNotFoundError:
        return mirrors.NOTHING
    kept = mirrors.parse_kept(content, TENSORS)
    for name, sha256 in kept.digests.items():
        if files.digests.get(name) != sha256:
            raise DocumentError(f"{TENSORS}: {name} was signed with other bytes, or not at all")
    return kept


def _limits(plan: Plan, run: Run) -> Iterable[tuple[str, int]]:
    """The files that a run may have, and the most bytes of each."""
    evaluation = plan.evaluation
    evaluations = plan.budget.agent_steps // evaluation.every + 1
    records = evaluations + MOST_SIGNATURES + 2
    returns = evaluations * evaluation.episodes + evaluation.final_episodes
    yield RESULT, LARGEST_RECORD + LARGEST_RETURN * evaluation.final_episodes
    yield RECORDS, min(LARGEST, records * LARGEST_RECORD + LARGEST_RETURN * returns)
    yield TIMING, LARGEST_RECORD

    # Weights are float32; of masks there are two, eight to a byte, and a digest for each rewire.
    masks = SLACK
    for module, network in plan.networks[run.group].items():
        weights = network.weights
        yield weights_file(module), _tensors(4 * (weights + network.biases))
        masks += weights // 4 + 100 * (plan.budget.updates[module] + 1)
    yield MASKS, _tensors(masks)


def _tensors(size: int) -> int:
    """Most bytes of a file of tensors of this size."""
    return min(LARGEST_TENSORS, size + SLACK)


def _read_run(files: SignedFiles, plan: Plan, run: Run) -> RunFiles:
    """The files of one run, whose bytes are let go when this returns."""
    contents: dict[str, bytes] = {}
    for file, _ in _limits(plan, run):
        name = run_file(run.name, file)
        if name in files.digests:
            content = files.find(name)
            if content is not None:
                contents[file] = content
    return _parsed(contents, plan, run)


def _parsed(contents: Mapping[str, bytes], plan: Plan, run: Run) -> RunFiles:
    """What the files of one run hold."""
    result = records = tensors = None
    location = run_file(run.name, "")
    if RESULT in contents:
        result = Reading(lambda: parse_result(contents[RESULT], f"{location}{RESULT}"))
    if RECORDS in contents:
        records = Reading(lambda: parse_chain(contents[RECORDS], f"{location}{RECORDS}"))
    if all(file in contents for file in tensor_files(plan.modules)):
        networks = plan.networks[run.group]
        tensors = Reading(lambda: measure(contents, networks, location.rstrip("/")))
    return RunFiles(result, records, tensors)
