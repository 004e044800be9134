"""Checks (5) and (7): the plan may bear its suite's name, and the files are those of its runs."""

from __future__ import annotations

from leaderboard.formats.document import parse
from leaderboard.formats.layout import PLAN, SUITE
from leaderboard.formats.names import OWN
from leaderboard.formats.plan import parse_plan, suite_digest
from leaderboard.formats.shipped import check_named
from leaderboard.formats.suite import SuiteReference
from leaderboard.verification.checks import Defect, Entry, Judgement, passed
from leaderboard.verification.files import read_runs


def check_plan(entry: Entry) -> Judgement:
    """(5) Threat: another experiment under a shipped suite's name, and seeds, budgets or episodes
    told otherwise afterwards. Not detected: plans that were run and not submitted; that takes a
    log."""
    # An id cannot be kept for another plan: it is the digest.
    stated = entry.predicate.plan
    digest = entry.files.digests[PLAN]
    if stated.sha256 != digest or stated.id != digest[:16]:
        raise Defect("the plan's id is not the digest of plan.json")
    content = entry.files.documents[PLAN]
    entry.plan = plan = parse_plan(content, PLAN)
    entry.suite = suite = parse(SuiteReference, entry.files.documents[SUITE], SUITE)

    # What the statement repeats of suite and plan is theirs.
    named = entry.predicate.suite
    if (named.name, named.version, named.changes) != (suite.name, suite.version, suite.changes):
        raise Defect("suite, version or changes are not those of suite.json")
    if plan.budget != entry.predicate.budget:
        raise Defect("the budget is not that of plan.json")

    # A shipped name is kept for the shipped plan.
    try:
        check_named(suite, suite_digest(content))
    except ValueError as error:
        raise Defect(str(error)) from None
    if suite.name.startswith(OWN):
        return passed(f"{stated.id}, own suite {suite.name}: not one that is shipped")
    return passed(f"{stated.id}, suite {suite.name} version {suite.version} as shipped")


def check_files(entry: Entry) -> Judgement:
    """(7) Threat: files exchanged after signing, or while they are read; files that nothing checks.
    From here on nothing is read from the folder any more."""
    read_runs(entry.files, entry.plan)
    absent = len(entry.files.absent)
    present = f"{len(entry.files.digests) - absent} files as signed"
    return passed(f"{present}, {absent} of tensors are kept elsewhere" if absent else present)
