"""Checks (9) to (12) and (14): the runs are the planned ones, and every figure follows from the
files."""

from __future__ import annotations

from collections import Counter

from leaderboard.formats.catalogue import is_possible, return_range
from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import (
    RECORDS,
    RESULT,
    TABLE,
    TIMING,
    run_file,
    run_folder,
    tensor_files,
    weights_file,
)
from leaderboard.formats.network import Networks, Size
from leaderboard.formats.plan import Plan
from leaderboard.formats.records import Chain, FailureRecord, FinalRecord
from leaderboard.formats.run import StatedRun, results_csv, score
from leaderboard.verification.checks import Defect, Entry, Judgement, passed, unknown
from leaderboard.verification.tensors import audit

STATUSES = ("finished", "failed", "missing")


def check_runs(entry: Entry) -> Judgement:
    """(9) Threat: runs left out, added or told otherwise. A lost run stays in the list, and
    counts as its task's floor wherever runs are averaged."""
    # None left out, none added.
    runs = entry.predicate.runs
    planned = [run.identity for run in entry.plan.runs]
    if [run.identity for run in runs] != planned:
        raise Defect(
            f"{len(runs)} runs are stated, not exactly the {len(planned)} planned ones in their"
            " order"
        )

    # Each as its own files state it.
    folders = {name.rpartition("/")[0] for name in entry.files.digests}
    alike = Counter(run.task for run in entry.plan.runs)
    for run in runs:
        if not run.missing:
            _check_result(entry, run, alike[run.task])
        elif run_folder(run.name) in folders:
            raise Defect(f"runs/{run.name}: is called missing, but has a result")
    counts = Counter[str](run.status for run in runs)
    return passed(", ".join(f"{counts[status]} {status}" for status in STATUSES))


def _check_result(entry: Entry, run: StatedRun, alike: int) -> None:
    """A run is stated as its own result file states it. `alike`: planned runs of its task."""
    for file in (RESULT, RECORDS, TIMING):
        if not entry.lists(run_file(run.name, file)):
            raise Defect(f"{run_file(run.name, file)}: is not among the signed files")
    if entry.files.result(run) != run:
        raise Defect(f"{run_file(run.name, RESULT)}: is not what the entry states")

    # Each member of a cohort is another run of the task, and is rolled out again.
    if run.members > alike:
        raise Defect(f"runs/{run.name}: one of {run.members} members, its task has {alike} runs")


def check_records(entry: Entry) -> Judgement:
    """(10) Threat: fabricated returns: a curve changed, cut or spliced afterwards. One that was
    fabricated from the start is found by training again."""
    total = 0
    for run in entry.present_runs:
        # The chain is whole, and the one that was signed.
        name = run_file(run.name, RECORDS)
        chain = entry.files.chain(run)
        total += chain.length
        if chain.head != run.chain_head:
            raise Defect(f"{name}: ends in another record than the entry states")

        _check_evaluations(entry.plan, run, chain, name)
        _check_end(run, chain, name)
    return passed(f"{total} records in unbroken chains")


def _check_evaluations(plan: Plan, run: StatedRun, chain: Chain, name: str) -> None:
    """The evaluations are the planned ones in their order, and no return is impossible."""
    every = plan.evaluation.every
    repeat = plan.budget.action_repeat
    for number, record in enumerate(chain.evaluations):
        step = number * every
        planned = (number, step, step * repeat, plan.evaluation.episodes)
        stated = (record.number, record.agent_step, record.environment_step, record.episodes)
        if stated != planned:
            raise Defect(f"{name}: evaluation {number} is not the planned one")
        if not all(is_possible(run.task, value) for value in (record.lowest, record.highest)):
            raise Defect(f"{name}: a return is {_outside(run)}")

    # A failed run stopped somewhere, a finished one did not.
    most = plan.budget.agent_steps // every + 1
    count = len(chain.evaluations)
    if count > most or (run.finished and count < most):
        raise Defect(f"{name}: has {count} evaluations, planned {most}")


def _outside(run: StatedRun) -> str:
    low, high = return_range(run.task)
    return f"outside of {low:g} to {high:g}"


def _check_end(run: StatedRun, chain: Chain, name: str) -> None:
    """The last record says how the run ended, as the entry states it."""
    if chain.signatures != run.failure_signatures:
        raise Defect(f"{name}: has other failure signatures than the entry states")
    last = chain.last
    if run.finished:
        ends_in_returns = isinstance(last, FinalRecord) and last.returns == run.final_returns
        if not ends_in_returns:
            raise Defect(f"{name}: its last record does not hold the final returns")
    elif not isinstance(last, FailureRecord):
        raise Defect(f"{name}: is called failed, and its last record is no failure")
    elif run.failure is None or last.reason != run.failure.reason:
        raise Defect(f"{name}: its last record tells another failure than the entry states")


def check_budgets(entry: Entry) -> Judgement:
    """(11) Threat: altered budgets: a run that trained longer, with more weights, or was measured
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
        last = entry.files.chain(run).last
        if isinstance(last, FinalRecord) and last.agent_step != budget.agent_steps:
            raise Defect(f"runs/{run.name}: its last record is of step {last.agent_step}")
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
    """(12) Threat: a score that does not follow from the episodes."""
    runs = entry.predicate.runs

    # Of each run, from its episodes.
    for run in runs:
        if not all(is_possible(run.task, value) for value in run.final_returns):
            raise Defect(f"runs/{run.name}: a return is {_outside(run)}")
        recomputed = score(run.final_returns)
        if run.finished and run.score != recomputed:
            raise Defect(
                f"runs/{run.name}: score {run.score} is stated, its episodes give {recomputed}"
            )

    # Of all of them, in the table.
    if results_csv(runs) != entry.files.documents[TABLE]:
        raise Defect(f"{TABLE}: is not what the runs give")
    return passed("recomputed from the episodes' returns")


def check_tensors(entry: Entry) -> Judgement:
    """(14) Threat: a policy that is not from that training, a dense network called sparse, a
    malicious checkpoint. Only safetensors are read; which masks lay between the first and the last
    is self-reported."""
    needed = tensor_files(entry.plan.modules)
    absent = list[StatedRun]()
    elsewhere = list[StatedRun]()
    for run in entry.present_runs:
        # All files of a run or none: a part of them could hide the rest.
        listed = [file for file in needed if entry.lists(run_file(run.name, file))]
        if not listed:
            absent.append(run)
            continue
        if len(listed) < len(needed):
            missing = f"has {', '.join(listed)}, but not all of {', '.join(needed)}"
            raise Defect(f"runs/{run.name}: {missing}")
        if entry.files.absent.intersection(run_file(run.name, file) for file in needed):
            elsewhere.append(run)
            continue

        # What they hold is what the run states and the regime asks for.
        measured = entry.files.tensors(run)
        try:
            audit(measured, run, entry.plan.networks[run.group], entry.plan.regimes[run.regime])
        except DocumentError as error:
            raise Defect(f"runs/{run.name}: {error}") from None

    # Tensors of some runs alone would hide those of the others.
    if absent and (entry.complete or len(absent) < len(entry.present_runs)):
        raise Defect(f"absent for {len(absent)} of {len(entry.present_runs)} runs")
    away = f"kept elsewhere for {len(elsewhere)} of {len(entry.present_runs)} runs"
    if elsewhere and entry.complete:
        raise Defect(f"{away}; name their folder with --tensors")

    # Densities are shown whether tensors tell them or not.
    for run in entry.present_runs:
        _check_weights(run, entry.plan.networks[run.group])
    if absent:
        return unknown("absent, not checked")
    _check_copies(entry)
    if elsewhere:
        return unknown(f"{away}, not checked there")
    return passed("densities, masks and rewires recomputed from the tensors")


def _check_weights(run: StatedRun, networks: Networks) -> None:
    """A run states exactly the planned modules, and each keeps as many weights as planned. A failed
    run may have stopped on the way from its first masks to its last."""
    for name in ("weights", "rewires", "mask_first", "mask_last"):
        if set(getattr(run, name)) != set(networks):
            raise Defect(f"runs/{run.name}: {name} are not of the planned modules")
    for module, network in networks.items():
        stated = run.weights[module]
        ends = (network.kept, network.kept if run.finished else network.kept_first)
        if stated.total != network.weights or not min(ends) <= stated.active <= max(ends):
            shown = f"{stated.active} weights of {stated.total}"
            raise Defect(
                f"runs/{run.name}: {module}: states {shown}, planned {network.kept} of"
                f" {network.weights}"
            )


def _check_copies(entry: Entry) -> None:
    """No seed has the policy of another: the best one cannot be handed in under every seed."""
    owners = dict[tuple[str, ...], str]()
    for run in entry.present_runs:
        if run.finished:
            files = [run_file(run.name, weights_file(name)) for name in entry.plan.policy_modules]
            policy = (run.group, *(entry.files.digests[file] for file in files))
            if policy in owners:
                raise Defect(f"runs/{run.name}: has the very policy of runs/{owners[policy]}")
            owners[policy] = run.name
