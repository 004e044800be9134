"""Judges an entry that is handed in to a board: `verify`, and what the board's log says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leaderboard.board.additions import ENTRIES
from leaderboard.board.inbox import Proposal, parse_proposal
from leaderboard.board.log import BoardLog
from leaderboard.board.views import ForkError
from leaderboard.formats.document import DocumentError, build, printable
from leaderboard.formats.layout import (
    ENTRY,
    SUBMISSION,
    TENSORS,
    run_file,
    tensor_files,
    weights_file,
)
from leaderboard.formats.log.leaf import EntryLeaf
from leaderboard.formats.mirrors import ENDING, parse_kept
from leaderboard.formats.plan import Plan
from leaderboard.formats.statement import Predicate, Statement
from leaderboard.verification.checks import Check, Documents
from leaderboard.verification.verify import verify


@dataclass
class Submission:
    """An entry's folder and the log that it is handed in to. Each check may read what the checks
    before it have set."""

    folder: str
    files: Mapping[str, bytes]
    """By their paths in the folder."""
    copy: Path
    """A folder with these very files, for `verify`."""
    log: BoardLog
    proposal: Proposal = field(init=False)
    """Set by `submission`."""
    leaf: EntryLeaf = field(init=False)
    """What is to be logged. Set by `submission`."""
    documents: Documents = field(init=False)
    """Set by `entry`."""

    @property
    def predicate(self) -> Predicate:
        """What the entry states."""
        return self.documents.statement.predicate

    def read(self, name: str) -> bytes:
        """A file of the folder; DocumentError if it is not there."""
        if name not in self.files:
            raise DocumentError(f"{name}: is not there")
        return self.files[name]


def judge_submission(submission: Submission) -> Iterator[Check]:
    """The checks on an entry that is handed in, until one fails."""
    for name, check in CHECKS.items():
        try:
            detail = check(submission)
        except ForkError:
            raise  # both notes are kept as evidence
        except (DocumentError, ValueError) as error:
            yield Check(name, "failed", printable(str(error)))
            return
        yield Check(name, "passed", printable(detail))


def policies_digest(statement: Statement[Predicate], plan: Plan) -> str:
    """What names the runs of an entry, whoever signed it and whatever plan it names: sha256 over
    the digests of their policies, or of their records where a run failed."""
    digests = {subject.name: subject.digest.sha256 for subject in statement.subject}
    parts = list[str]()
    for run in statement.predicate.runs:
        if run.finished:
            names = [run_file(run.name, weights_file(name)) for name in plan.policy_modules]
            parts += [digests[name] for name in names if name in digests]
        elif run.chain_head is not None:
            parts.append(run.chain_head)
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _check_submission(submission: Submission) -> str:
    """Threat: an entry that somebody else hands in."""
    content = submission.read(SUBMISSION)
    submission.proposal = parse_proposal(content, SUBMISSION, f"{submission.folder}/{SUBMISSION}")
    if submission.proposal.kind != "entry":
        raise DocumentError(f"{SUBMISSION}: is a statement of another kind than entry")
    decision = submission.proposal.decision()
    submission.leaf = build(EntryLeaf, {"at": 0, **decision.fields}, SUBMISSION)
    return f"licence {submission.leaf.licence}, registration {submission.leaf.registration}"


def _check_entry(submission: Submission) -> str:
    """Threat: whatever `verify` finds. Tensors may be kept elsewhere and witnesses late, but the
    registration is in this very log. ForkError if it is in another history of it."""
    verdict = verify(submission.copy / ENTRY, log=submission.log)
    last = verdict.checks[-1]
    if verdict.fork is not None:
        raise verdict.fork
    if verdict.documents is None:
        raise DocumentError(f"verify refuses it: {last.name}: {last.detail}")
    (registered,) = (check for check in verdict.checks if check.name == "registration")
    if registered.status != "passed":
        raise DocumentError(f"registration: {registered.detail}")
    submission.documents = verdict.documents
    return f"{len(verdict.checks)} checks of verify, none failed; registered as {registered.detail}"


def _check_signer(submission: Submission) -> str:
    """Threat: another's entry handed in as one's own; another entry than was spoken of."""
    leaf = submission.leaf
    signer = submission.predicate.signer
    if signer.key_id != leaf.key:
        raise DocumentError(f"the entry is signed by key {signer.key_id[:16]}, not {leaf.key[:16]}")
    if leaf.entry != submission.documents.payload_sha256:
        raise DocumentError(f"{SUBMISSION}: is about another entry")
    if leaf.registration != submission.predicate.plan.log_index:
        raise DocumentError(f"{SUBMISSION}: names another registration than the entry's")
    statement = submission.documents.statement
    if leaf.policies != policies_digest(statement, submission.documents.plan):
        raise DocumentError(f"{SUBMISSION}: names other policies than the entry's")
    return f"key {leaf.key[:16]}"


def _check_folder(submission: Submission) -> str:
    """Threat: a folder that pages would take for another suite's or another plan's."""
    stated = submission.predicate
    name = f"{ENTRIES}/{stated.suite.name}-v{stated.suite.version}/{stated.plan.id}"
    if submission.folder != name:
        raise DocumentError(f"{submission.folder}: expected {name}, by suite, version and plan")
    return name


def _check_tensors(submission: Submission) -> str:
    """Threat: policies that nobody can ever measure."""
    documents = submission.documents
    signed = {name: at for name, at in documents.files.digests.items() if name.endswith(ENDING)}
    for run in documents.statement.predicate.runs:
        for file in () if run.missing else tensor_files(documents.plan.modules):
            if run_file(run.name, file) not in signed:
                raise DocumentError(f"{run_file(run.name, file)}: is not among the signed files")
    kept = parse_kept(submission.read(TENSORS), TENSORS)
    if kept.digests != signed:
        raise DocumentError(f"{TENSORS}: does not list exactly the signed files of tensors")
    if not kept.mirrors:
        raise DocumentError(f"{TENSORS}: names no mirror")
    size = sum(file.size for file in kept.tensors)
    return f"{len(signed)} files of {size} bytes, at {kept.mirrors[0]}"


CHECKS: dict[str, Callable[[Submission], str]] = {
    "submission": _check_submission,
    "entry": _check_entry,
    "signer": _check_signer,
    "folder": _check_folder,
    "tensors": _check_tensors,
}
"""Check name -> check, in the order they run."""
