"""`verify`: every check on an entry, by name, in one order. Offline, and without loading anything
that could run a submission's code.

A signature proves who signed and that nothing changed since; the checks after it prove that the
figures follow from the files. That the files were earned takes a re-evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leaderboard.formats.document import DocumentError, printable
from leaderboard.formats.envelope import EnvelopeError
from leaderboard.formats.signed import SignedError
from leaderboard.verification import origin, runs, signature
from leaderboard.verification.checks import Check, Defect, Documents, Entry, Judgement, Verdict

# The procedure. Each step relies on those before it, and the first that fails is the last:
#
#  (0) envelope    the file is one DSSE envelope with one signature, written in the one way
#  (1) statement   its payload is an in-toto Statement that fits the schema of a run statement
#  (2) signature   Ed25519 over that payload, by the key that it names
#  (3) key         the key is in the trust file
#  (4) files       every listed file is read, once, and has the digest that was signed
#  (5) plan        the plan's id is its digest; suite, changes and budget are the plan's
#  (6) image       the image that the runs ran in is the released one
#  (7) runs        exactly the planned runs, each as its result file states it
#  (8) records     every run's records are an unbroken chain that ends in the stated returns
#  (9) budgets     steps, updates, parameters, operations and episodes are the planned ones
# (10) scores      scores and results.csv follow from the episodes' returns
# (11) simulation  the tasks were simulated with the recorded bits
# (12) tensors     densities, masks and rewires follow from the tensors
# (13) reeval      someone rolled the policies out again and accepted the entry
#
# Until (2) nothing that the payload says is believed, from (4) on nothing is read from the folder.
# (3), (6), (11), (12) and (13) are `unknown` where what they compare with was not handed in.

CHECKS: dict[str, Callable[[Entry], Judgement]] = {
    "envelope": signature.check_envelope,
    "statement": signature.check_statement,
    "signature": signature.check_signature,
    "key": signature.check_key,
    "files": signature.check_files,
    "plan": runs.check_plan,
    "image": origin.check_image,
    "runs": runs.check_runs,
    "records": runs.check_records,
    "budgets": runs.check_budgets,
    "scores": runs.check_scores,
    "simulation": origin.check_simulation,
    "tensors": runs.check_tensors,
    "reeval": origin.check_reeval,
}
"""Check name -> check, in the order they run."""


def verify(
    path: Path,
    trust: Path | None = None,
    release: Path | None = None,
    complete: bool = False,
    reeval: Path | None = None,
) -> Verdict:
    """Run the checks on the entry at `path`, whose files lie beside it, until one fails.

    `trust`: a trust file; without it the signer's key is reported as unknown. `release`: the
    release statement of an image; without it nobody vouches for the image that the entry names.
    `complete`: tensors that are not there are a failure. `reeval`: a re-evaluation of the entry,
    without which it is L0. Raises OSError if a file cannot be read, KeyFileError for a bad trust
    file.
    """
    entry = Entry(path, trust, release, complete, reeval)
    verdict = Verdict(str(path))
    for name, check in CHECKS.items():
        # Strangers wrote parts of the sentences, so control characters are spelled out in them.
        try:
            judgement = check(entry)
        except (Defect, DocumentError, EnvelopeError, SignedError) as error:
            verdict.checks.append(Check(name, "failed", printable(str(error))))
            return verdict
        detail = printable(judgement.detail)
        verdict.checks.append(Check(name, judgement.status, detail, judgement.level))

    manifest = entry.files.manifest.get()
    verdict.documents = Documents(entry.statement, entry.plan, entry.suite, manifest)
    return verdict
