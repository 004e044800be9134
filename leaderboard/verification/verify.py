"""`verify`: every check on an entry, by name, in one order. Offline, and without loading anything
that could run a submission's code.

A signature proves who signed and that nothing changed since; the checks after it prove that the
figures follow from the files. That the files were earned takes a re-evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leaderboard.board.known import known_view
from leaderboard.board.log import BoardLog
from leaderboard.board.views import View
from leaderboard.formats.document import DocumentError, printable
from leaderboard.formats.envelope import EnvelopeError
from leaderboard.formats.keys import KeyFileError
from leaderboard.formats.signed import SignedError
from leaderboard.verification import origin, plan, registration, runs, signature
from leaderboard.verification.checks import Check, Defect, Documents, Entry, Judgement, Verdict

# The procedure. Each step relies on those before it, and the first that fails is the last:
#
#  (0) envelope    the file is one DSSE envelope with one signature, written in the one way
#  (1) statement   its payload is an in-toto Statement that fits the schema of a run statement
#  (2) signature   Ed25519 over that payload, by the key that it names
#  (3) key         the key is in the trust file, as a submitter's
#  (4) documents   plan, suite, manifest and table are read, once, and have the digests signed
#  (5) plan        the plan's id is its digest, and its suite's name is one that it may bear
#  (6) manifest    the manifest tells the same origin as the statement
#  (7) files       the files of the planned runs are read, once, and there are no others
#  (8) image       the image that the runs ran in is the released one
#  (9) runs        exactly the planned runs, each as its result file states it
# (10) records     every run's records are an unbroken chain of the planned evaluations
# (11) budgets     counts of steps, updates, parameters and episodes are the planned ones
# (12) scores      scores and results.csv follow from the episodes' returns, which are possible
# (13) simulation  the tasks were simulated with the recorded bits
# (14) tensors     densities, masks and rewires follow from the tensors
# (15) registration  the plan is in a board's log, and its seeds follow from its leaf and a round
# (16) witnessed   a quorum of witnesses saw the leaf before that round
# (17) beacon      the round is the one that the leaf asks for, of the trust root's chain
# (18) reeval      someone else measured the policies and found the claims true
#
# Until (2) nothing that the payload says is believed, from (7) on nothing is read from the folder.
# (3), (8) and (13) to (18) are `unknown` where what they compare with was not handed in. Files of
# tensors may be kept elsewhere (formats/mirrors.py); whatever else is absent is a failure.

CHECKS: dict[str, Callable[[Entry], Judgement]] = {
    "envelope": signature.check_envelope,
    "statement": signature.check_statement,
    "signature": signature.check_signature,
    "key": signature.check_key,
    "documents": signature.check_documents,
    "plan": plan.check_plan,
    "manifest": origin.check_manifest,
    "files": plan.check_files,
    "image": origin.check_image,
    "runs": runs.check_runs,
    "records": runs.check_records,
    "budgets": runs.check_budgets,
    "scores": runs.check_scores,
    "simulation": origin.check_simulation,
    "tensors": runs.check_tensors,
    "registration": registration.check_registration,
    "witnessed": registration.check_witnessed,
    "beacon": registration.check_beacon,
    "reeval": origin.check_reeval,
}
"""Check name -> check, in the order they run."""


def verify(
    path: Path,
    trust: Path | None = None,
    release: Path | None = None,
    complete: bool = False,
    reeval: Path | None = None,
    tensors: Path | None = None,
    log: BoardLog | None = None,
    recall: Callable[[str], View | None] = known_view,
) -> Verdict:
    """Run the checks on the entry at `path`, whose files lie beside it, until one fails.

    `trust`: a trust file; without it the signer's key is reported as unknown. `release`: the
    release statement of an image; without it nobody vouches for the image that the entry names.
    `complete`: tensors that are not there are a failure. `reeval`: a re-evaluation of the entry,
    without which it is L0. `tensors`: a folder in which files of tensors may lie instead of beside
    the entry. `log`: that of a board, checked as a whole; without it, `recall` gives what was seen
    of a log before, and by default what this release knows of it.

    Raises OSError if a file cannot be read, KeyFileError for a bad trust file.
    """
    entry = Entry(path, trust, release, complete, reeval, tensors, log, recall)
    verdict = Verdict(str(path))
    for name, check in CHECKS.items():
        outcome = _outcome(name, check, entry)
        verdict.checks.append(outcome)
        if outcome.status == "failed":
            verdict.fork = entry.fork
            return verdict

    verdict.documents = Documents(
        statement=entry.statement,
        plan=entry.plan,
        suite=entry.suite,
        manifest=entry.manifest,
        files=entry.files,
        content=entry.content,
        payload_sha256=entry.envelope.payload_sha256,
        reeval=entry.reevaluation,
    )
    return verdict


def _outcome(name: str, check: Callable[[Entry], Judgement], entry: Entry) -> Check:
    """How a check went. This is the one place that turns whatever a hostile file brings about into
    a failed check."""
    # Strangers wrote parts of the sentences, so control characters are spelled out in them.
    try:
        judgement = check(entry)
    except (Defect, DocumentError, EnvelopeError, SignedError) as error:
        return Check(name, "failed", printable(str(error)))
    except (OSError, KeyFileError):
        raise
    except Exception as error:
        kind = type(error).__name__
        return Check(name, "failed", printable(f"cannot be judged: {kind}: {str(error)[:200]}"))
    return Check(name, judgement.status, printable(judgement.detail), judgement.level)
