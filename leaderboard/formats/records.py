"""A run's records: JSON lines, each with the digest of all before it (`before`)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from leaderboard.formats.document import DocumentError, build, parse_json
from leaderboard.formats.layout import RECORDS, run_file
from leaderboard.formats.run import FailureSignature, Run

CHAIN_START = "0" * 64
"""What the first record has in place of a digest."""
LARGEST_RETURN = 1e9
"""Largest plausible absolute return of an episode."""


@dataclass(frozen=True)
class EvaluationRecord:
    """A scheduled evaluation of a policy."""

    kind: Literal["evaluation"]
    before: str
    number: int
    agent_step: int
    environment_step: int
    diagnostics: dict[str, dict[str, float | None]]
    """Module -> figure -> value; empty before learning starts."""
    updates: dict[str, int]
    rewires: dict[str, int]
    returns: tuple[float, ...]
    """Of each episode."""

    def __post_init__(self) -> None:
        if not self.returns:
            raise ValueError("returns: expected at least one")
        if not all(abs(value) <= LARGEST_RETURN for value in self.returns):
            raise ValueError(f"returns: expected at most {LARGEST_RETURN:g} each")

    @property
    def mean_return(self) -> float:
        """Over the episodes."""
        return math.fsum(self.returns) / len(self.returns)


@dataclass(frozen=True)
class FailureSignatureRecord:
    """A failure signature, when it first showed."""

    kind: Literal["failure signature"]
    before: str
    name: str
    agent_step: int
    value: float


@dataclass(frozen=True)
class FailureRecord:
    """The agent failed; nothing of the run changes after it."""

    kind: Literal["failure"]
    before: str
    agent_step: int
    reason: str


@dataclass(frozen=True)
class FinalRecord:
    """The final policy's episodes: the last record of a run that finished."""

    kind: Literal["final"]
    before: str
    agent_step: int
    returns: tuple[float, ...]


Record = EvaluationRecord | FailureSignatureRecord | FailureRecord | FinalRecord

TYPES: dict[str, type[Record]] = {
    "evaluation": EvaluationRecord,
    "failure signature": FailureSignatureRecord,
    "failure": FailureRecord,
    "final": FinalRecord,
}
"""Kind of a record -> its type."""


@dataclass(frozen=True)
class LearningCurve:
    """The evaluations of one run."""

    run: Run
    evaluations: tuple[EvaluationRecord, ...]


def parse_record(line: bytes, location: str) -> Record:
    """The record in a line; DocumentError says what is wrong with it."""
    document = parse_json(line, location)
    if not isinstance(document, dict):
        raise DocumentError(f"{location}: expected a record.")

    # The kind decides which fields a record has.
    name = document.get("kind")
    if not isinstance(name, str) or name not in TYPES:
        raise DocumentError(f"{location}: kind: expected one of {', '.join(TYPES)}.")
    return build(TYPES[name], document, location)


@dataclass(frozen=True)
class Measured:
    """What a chain keeps of a scheduled evaluation: enough to compare it with the plan."""

    number: int
    agent_step: int
    environment_step: int
    episodes: int
    lowest: float
    """Lowest and highest return."""
    highest: float

    @classmethod
    def of(cls, record: EvaluationRecord) -> Measured:
        """Of a whole record."""
        returns = record.returns
        steps = (record.number, record.agent_step, record.environment_step)
        return cls(*steps, len(returns), min(returns), max(returns))


@dataclass(frozen=True)
class Chain:
    """All records of a run; none of them can have been changed or taken out alone."""

    length: int
    head: str
    """Digest of the last line."""
    last: Record | None
    evaluations: tuple[Measured, ...]
    signatures: tuple[FailureSignature, ...]


def parse_chain(content: bytes, location: str) -> Chain:
    """The records in the bytes of a records.jsonl; DocumentError names the first line that is no
    record, or does not follow from the line before it."""
    head = CHAIN_START
    record = None
    evaluations = list[Measured]()
    signatures = list[FailureSignature]()
    lines = content.splitlines(keepends=True)

    # Each line holds the digest of the one before, byte for byte.
    for number, line in enumerate(lines, 1):
        record = parse_record(line, f"{location}:{number}")
        if record.before != head:
            raise DocumentError(f"{location}:{number}: the chain of records is broken")
        head = hashlib.sha256(line).hexdigest()

        if isinstance(record, EvaluationRecord):
            evaluations.append(Measured.of(record))
        elif isinstance(record, FailureSignatureRecord):
            signature = FailureSignature(record.name, record.agent_step, record.value)
            signatures.append(signature)
    return Chain(len(lines), head, record, tuple(evaluations), tuple(signatures))


def learning_curves(
    runs: Iterable[Run], read: Callable[[str], bytes | None]
) -> list[LearningCurve]:
    """The scheduled evaluations that runs recorded. `read`: name in the plan's folder -> bytes, or
    None while there is no such file: a run that has not begun has no records."""
    curves = []
    for run in runs:
        content = read(run_file(run.name, RECORDS)) or b""
        curves.append(LearningCurve(run, tuple(_evaluations(content.splitlines()))))
    return curves


def _evaluations(lines: Iterable[bytes]) -> Iterator[EvaluationRecord]:
    """The evaluations among lines of records."""
    # A line that is no record is skipped: a run under way may be writing one.
    for line in lines:
        try:
            record = parse_record(line, RECORDS)
        except DocumentError:
            continue
        if isinstance(record, EvaluationRecord):
            yield record
