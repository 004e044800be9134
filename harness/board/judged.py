"""Judges a folder that is handed in: an entry, or a re-evaluation of one that is there already."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.board.append import Main
from harness.board.handed_in import HandedIn
from leaderboard.board.inbox import Proposal
from leaderboard.board.log import BoardLog
from leaderboard.board.views import ForkError
from leaderboard.formats.document import DocumentError, printable
from leaderboard.formats.layout import ENTRY, REEVAL, REEVAL_STATEMENT, reeval_file
from leaderboard.verification.checks import Check
from leaderboard.verification.measured import check_measured, export_entry, measure_again
from leaderboard.verification.submission import Submission, judge_submission


@dataclass(frozen=True)
class Judged:
    """How a folder fared."""

    checks: tuple[Check, ...]
    proposal: Proposal | None
    """What is to be logged of it; None if a check failed."""
    beside: Mapping[str, bytes]
    """Path -> content of the files that come with the leaf."""


def judge_folder(main: Main, handed_in: HandedIn) -> Judged:
    """The checks on a folder, until one fails. ForkError if it is of another history of the log."""
    if main.log is None:
        raise DocumentError("the board has no trust root yet")
    with tempfile.TemporaryDirectory() as scratch:
        if ENTRY in handed_in.inside():
            checks, proposal = _entry(main.log, handed_in, Path(scratch))
        else:
            checks, proposal = _reeval(main, main.log, handed_in, Path(scratch))
    own = proposal.files if proposal is not None else {}
    beside = {path: content for path, content in handed_in.files.items() if path not in own}
    return Judged(tuple(checks), proposal, beside)


def _entry(
    log: BoardLog, handed_in: HandedIn, scratch: Path
) -> tuple[list[Check], Proposal | None]:
    assert handed_in.folder is not None, "an entry lies in a folder"
    copy = handed_in.write_to(scratch)
    submission = Submission(handed_in.folder, handed_in.inside(), copy, log)
    checks = list(judge_submission(submission))
    return checks, None if checks[-1].status == "failed" else submission.proposal


def _reeval(
    main: Main, log: BoardLog, handed_in: HandedIn, scratch: Path
) -> tuple[list[Check], Proposal | None]:
    assert handed_in.folder is not None, "a re-evaluation lies beside its entry"
    files = handed_in.inside()
    try:
        # The re-evaluation and its statement, and nothing else.
        names = [name for name in files if REEVAL.fullmatch(name)]
        statements = [name for name in files if REEVAL_STATEMENT.fullmatch(name)]
        if len(names) != 1 or len(statements) != 1 or len(files) != 2:
            raise DocumentError(f"{handed_in.folder}: expected a re-evaluation and its statement")
        export_entry(main.files, handed_in.folder, scratch)
        handed_in.write_to(scratch)
        measured = measure_again(scratch, scratch / names[0], log)
        if names[0] != reeval_file(measured.payload_sha256):
            raise DocumentError(f"{names[0]}: is not named after its digest")
        path = f"{handed_in.folder}/{statements[0]}"
        proposal = check_measured(measured, files[statements[0]], path)
    except ForkError:
        raise
    except DocumentError as error:
        return [Check("reeval", "failed", printable(str(error)))], None
    detail = f"{measured.level} of leaf {measured.entry}, by key {measured.key[:16]}"
    return [Check("reeval", "passed", detail)], proposal
