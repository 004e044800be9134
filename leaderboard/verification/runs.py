"""Checks (5) and (7) to (10), (12): the runs are the planned ones, and every figure follows from
the files."""

from __future__ import annotations

from collections import Counter

from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import PLAN, RECORDS, RESULT, TABLE, run_file, tensor_files
from leaderboard.formats.plan import Size
from leaderboard.formats.records import FinalRecord
from leaderboard.formats.run import StatedRun, results_csv, score
from leaderboard.verification.checks import Defect, Entry, Judgement, passed, unknown
from leaderboard.verification.tensors import audit

STATUSES = ("finished", "failed", "missing")


def check_plan(entry: Entry) -> Judgement:
    """(5) Threat: altered budgets and cherry-picked seeds: what was planned is told otherwise
    afterwards. Not detected: plans that were run and not submitted; that takes the log."""
    # An id cannot be kept for another plan: it is the digest.
    stated = entry.predicate.plan
    digest = entry.files.digests[PLAN]
    if stated.sha256 != digest or stated.id != digest[:16]:
        raise Defect("the plan's id is not the digest of plan.json")
    entry.plan = plan = entry.files.plan.get()

    # What the statement repeats of suite and plan is theirs.
    entry.suite = suite = entry.files.suite.get()
    named = entry.predicate.suite
    if (named.name, named.version, named.changes) != (suite.name, suite.version, suite.changes):
        raise Defect("suite, version or changes are not those of suite.json")
    if plan.budget != entry.predicate.budget:
        raise Defect("the budget is not that of plan.json")

    # A rank takes the suite as shipped, and seeds that nobody could choose.
    if (suite.changes or plan.seed_source == "suite") and entry.predicate.ranked:
        raise Defect(
            "the entry calls itself ranked, but its suite was changed or its seeds are not from the"
            " log"
        )
    return passed(f"{stated.id}, suite {suite.name} version {suite.version}")


def check_runs(entry: Entry) -> Judgement:
    """(7) Threat: runs left out, added or told otherwise. A lost run stays in the list, and in the
    denominator."""
    # None left out, none added.
    runs = entry.predicate.runs
    planned = [run.identity for run in entry.plan.runs]
    if [run.identity for run in runs] != planned:
        raise Defect(
            f"{len(runs)} runs are stated, not exactly the {len(planned)} planned ones in their"
            " order"
        )

    # Each as its own files state it.
    for run in runs:
        if run.missing:
            _check_missing(entry, run)
        else:
            _check_result(entry, run)
    counts = Counter[str](run.status for run in runs)
    return passed(", ".join(f"{counts[status]} {status}" for status in STATUSES))


def _check_missing(entry: Entry, run: StatedRun) -> None:
    """A run that is called missing has no result, and states nothing of one."""
    has_result = entry.lists(run_file(run.name, RESULT))
    if has_result or run.final_returns or run.score is not None:
        raise Defect(f"runs/{run.name}: is called missing, but has a result")


def _check_result(entry: Entry, run: StatedRun) -> None:
    """A run is stated as its own result file states it."""
    for file in (RESULT, RECORDS):
        if not entry.lists(run_file(run.name, file)):
            raise Defect(f"{run_file(run.name, file)}: is not among the signed files")
    if entry.files.result(run) != run:
        raise Defect(f"{run_file(run.name, RESULT)}: is not what the entry states")


def check_records(entry: Entry) -> Judgement:
    """(8) Threat: fabricated returns: a curve changed, cut or spliced afterwards. One that was
    fabricated from the start is found by training again."""
    total = 0
    for run in entry.present_runs:
        # The chain is whole, and the one that was signed.
        name = run_file(run.name, RECORDS)
        chain = entry.files.chain(run)
        total += chain.length
        if chain.head != run.chain_head:
            raise Defect(f"{name}: ends in another record than the entry states")

        # The score's episodes are its last record.
        last = chain.last
        ends_in_returns = isinstance(last, FinalRecord) and last.returns == run.final_returns
        if run.finished and not ends_in_returns:
            raise Defect(f"{name}: its last record does not hold the final returns")
    return passed(f"{total} records in unbroken chains")


def check_budgets(entry: Entry) -> Judgement:
    """(9) Threat: altered budgets: a run that trained longer, with more weights, or was measured
    more often. Counts are the run's own: what it did beside them is found by training again."""
    budget = entry.plan.budget
    episodes = entry.plan.evaluation.final_episodes
    for run in entry.present_runs:
        if not run.finished:
            continue

        # As long as planned.
        steps = run.environment_steps
        if steps != budget.environment_steps:
            planned = budget.environment_steps
            raise Defect(f"runs/{run.name}: {steps} environment steps, planned {planned}")
        if run.updates != budget.updates:
            raise Defect(f"runs/{run.name}: updates {run.updates}, planned {budget.updates}")

        # As large as planned, and measured as often.
        _check_size(run, entry.plan.sizes[run.group])
        if len(run.final_returns) != episodes:
            measured = len(run.final_returns)
            raise Defect(f"runs/{run.name}: {measured} final episodes, planned {episodes}")

    updates = ", ".join(f"{budget.updates[module]} {module}" for module in entry.plan.modules)
    return passed(f"{budget.environment_steps} environment steps, updates: {updates} each")


def _check_size(run: StatedRun, size: Size) -> None:
    """A run has as many parameters, and does as many operations, as planned."""
    parameters = {"total": size.parameters, "active": size.active}
    if run.parameters != parameters:
        raise Defect(f"runs/{run.name}: parameters {run.parameters}, planned {parameters}")
    flops = {"total": size.flops, "active": size.active_flops}
    if run.flops != flops:
        raise Defect(f"runs/{run.name}: flops {run.flops}, planned {flops}")


def check_scores(entry: Entry) -> Judgement:
    """(10) Threat: a score that does not follow from the episodes."""
    runs = entry.predicate.runs

    # Of each run, from its episodes.
    for run in runs:
        recomputed = score(run.final_returns)
        if run.finished and run.score != recomputed:
            raise Defect(
                f"runs/{run.name}: score {run.score} is stated, its episodes give {recomputed}"
            )
        if not run.finished and (run.score is not None or run.final_returns):
            raise Defect(f"runs/{run.name}: is {run.status} and states a score")

    # Of all of them, in the table.
    if results_csv(runs) != entry.files.table:
        raise Defect(f"{TABLE}: is not what the runs give")
    return passed("recomputed from the episodes' returns")


def check_tensors(entry: Entry) -> Judgement:
    """(12) Threat: a policy that is not from that training, a dense network called sparse, a
    malicious checkpoint. Only safetensors are read; which masks lay between the first and the last
    is self-reported."""
    needed = tensor_files(entry.plan.modules)
    absent = 0
    for run in entry.present_runs:
        # All files of a run or none: a part of them could hide the rest.
        listed = [file for file in needed if entry.lists(run_file(run.name, file))]
        if not listed:
            absent += 1
            continue
        if len(listed) < len(needed):
            missing = f"has {', '.join(listed)}, but not all of {', '.join(needed)}"
            raise Defect(f"runs/{run.name}: {missing}")

        # What they hold is what the run states and the regime asks for.
        measured = entry.files.tensors(run)
        try:
            audit(measured, run, entry.plan.regimes[run.regime])
        except DocumentError as error:
            raise Defect(f"runs/{run.name}: {error}") from None

    if absent and entry.complete:
        raise Defect(f"absent for {absent} runs")
    if absent:
        return unknown(f"absent, not checked, for {absent} of {len(entry.present_runs)} runs")
    return passed("densities, masks and rewires recomputed from the tensors")
