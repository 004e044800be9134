"""From a plan folder to a signed entry: results.csv, the Statement, the envelope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from harness.entries.manifest import read_manifest
from harness.entries.registered import log_index
from harness.entries.verified import Verified
from harness.files import digest_file, dump_json, write_atomic, write_json
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.training.faults import Fault, all_faults
from harness.training.results import read_results
from leaderboard.formats import envelope
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.manifest import Manifest
from leaderboard.formats.mirrors import KeptFile
from leaderboard.formats.plan import Budget
from leaderboard.formats.run import Failure, Run, StatedRun, results_csv
from leaderboard.formats.statement import (
    RUN_TYPE,
    PlanReference,
    Predicate,
    Signer,
    SuiteVersion,
    statement_document,
)


def stated_runs(
    folder: Path, plan: Plan, faults: dict[Cohort, tuple[Fault, ...]] | None = None
) -> tuple[StatedRun, ...]:
    """Every planned run in the plan's order: its result, or that it is missing and the last fault
    of its cohort.

    `faults`: of all cohorts, where they were read already.
    """
    if faults is None:
        faults = all_faults(folder)

    # The last fault of a cohort is why its runs have no result.
    last_fault: dict[Run, Fault] = {}
    for cohort, known in faults.items():
        last_fault.update(dict.fromkeys(cohort.runs, known[-1]))
    results = read_results(folder, plan.runs)
    return tuple(results.get(run) or missing(run, last_fault.get(run)) for run in plan.runs)


def missing(run: Run, fault: Fault | None) -> StatedRun:
    """What is stated of a run that has no result."""
    failure = None
    if fault is not None:
        failure = Failure("infrastructure", fault.reason, fault.agent_step)

    # Its records and tensors are not signed, so nothing of them is stated.
    return StatedRun(
        task=run.task,
        regime=run.regime,
        seed=run.seed,
        status="missing",
        failure=failure,
        score=None,
        final_returns=(),
        environment_steps=0,
        updates={},
        members=0,
        weights={},
        parameters={},
        flops={},
        failure_signatures=(),
        rewires={},
        mask_first={},
        mask_last={},
        chain_head=None,
    )


def write_entry(
    folder: Path,
    plan: Plan,
    key: SigningKey,
    runs: tuple[StatedRun, ...] | None = None,
    elsewhere: Iterable[KeptFile] = (),
) -> Path:
    """Signs what lies in a plan folder, its manifest included; returns the entry's path.

    `runs`: its stated runs, where they were read already. `elsewhere`: tensors that were signed
    before and lie in another place.
    """
    if runs is None:
        runs = stated_runs(folder, plan)
    paths = Folder(folder)
    write_atomic(paths.results, results_csv(runs))

    # Another suite with the same runs may have been planned into this folder meanwhile.
    write_json(paths.suite, asdict(plan.suite))

    # Files of runs without a result are not signed: their records may still grow. Nor are those
    # of a run that got one since its state was read.
    signed = [paths.plan, paths.suite, paths.manifest, paths.results]
    if plan.registered:
        signed += paths.registered
    for run in runs:
        if not run.missing:
            files = sorted(paths.run(Run(*run.identity)).path.iterdir())
            signed += [file for file in files if not file.name.startswith(".")]
    digests = {path.relative_to(folder).as_posix(): digest_file(path) for path in signed}
    digests |= {file.name: file.sha256 for file in elsewhere}

    # The statement is signed as the very bytes that are written.
    plan_sha256 = digests[paths.plan.name]
    reference = PlanReference(plan.id, plan_sha256, log_index(folder, plan))
    predicate = _predicate(plan, reference, runs, read_manifest(folder), key)
    statement = statement_document(RUN_TYPE, digests, predicate)
    write_atomic(paths.entry, dump_json(envelope.sign(dump_json(statement), key)))
    return paths.entry


def sign_again(entry: Verified, key: SigningKey) -> None:
    """Signs what an entry states with another key. Nothing is read but the verified statement."""
    statement = entry.documents.statement
    subjects = {subject.name: subject.digest.sha256 for subject in statement.subject}
    predicate = replace(statement.predicate, signer=Signer.of(key))
    document = dump_json(statement_document(RUN_TYPE, subjects, predicate))
    write_atomic(entry.path, dump_json(envelope.sign(document, key)))


def _predicate(
    plan: Plan,
    reference: PlanReference,
    runs: tuple[StatedRun, ...],
    manifest: Manifest,
    key: SigningKey,
) -> Predicate:
    """What an entry states: its origin from the manifest, the rest from plan and results."""
    budget = plan.budget
    return Predicate(
        # Origin
        nonce=manifest.nonce,
        times=manifest.times,
        resumes=manifest.resumes,
        source=manifest.source,
        versions=manifest.versions,
        hardware=manifest.hardware,
        image=manifest.image,
        fingerprints=manifest.fingerprints,
        canary=manifest.canary,
        unranked_because=manifest.unranked_because,
        # Plan
        suite=SuiteVersion(plan.suite.name, plan.suite.version, plan.suite.changes),
        plan=reference,
        budget=Budget(
            budget.environment_steps, budget.agent_steps, budget.action_repeat, budget.updates
        ),
        # Results, and who says so
        ranked=not manifest.unranked_because,
        runs=runs,
        signer=Signer.of(key),
    )
