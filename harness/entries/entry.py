"""From a plan folder to a signed entry: results.csv, the Statement, the envelope."""

from __future__ import annotations

from pathlib import Path

from harness.entries.manifest import read_manifest
from harness.files import digest_file, dump_json, write_atomic
from harness.folder import ENTRY, MANIFEST
from harness.planning.plan import Plan, Run
from harness.training.faults import Fault, all_faults
from harness.training.results import read_results
from leaderboard.formats import envelope
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.manifest import Manifest
from leaderboard.formats.plan import Budget
from leaderboard.formats.run import Failure, StatedRun, results_csv
from leaderboard.formats.statement import (
    RUN_TYPE,
    PlanReference,
    Predicate,
    Signer,
    SuiteVersion,
    statement_document,
)


def stated_runs(folder: Path, plan: Plan) -> tuple[StatedRun, ...]:
    """Every planned run in the plan's order: its result, or that it is missing and the last fault
    of its cohort."""
    results = read_results(folder, plan.runs)
    last_fault: dict[Run, Fault] = {}
    for cohort, faults in all_faults(folder).items():
        last_fault.update(dict.fromkeys(cohort.runs, faults[-1]))
    return tuple(results.get(run) or missing(run, last_fault.get(run)) for run in plan.runs)


def missing(run: Run, fault: Fault | None) -> StatedRun:
    """What is stated of a run that has no result."""
    failure = Failure("infrastructure", fault.reason, fault.agent_step) if fault else None
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
        signs=(),
        rewires={},
        mask_first={},
        mask_last={},
        chain_head=None,
    )


def write_entry(folder: Path, plan: Plan, key: SigningKey) -> Path:
    """Sign what lies in a plan folder, its manifest included; returns the entry's path."""
    runs = stated_runs(folder, plan)
    write_atomic(folder / "results.csv", results_csv(runs))

    # Files of runs without a result are not signed: their records may still grow.
    names = ["plan.json", MANIFEST, "results.csv"]
    for run in plan.runs:
        run_folder = folder / "runs" / run.name
        if (run_folder / "result.json").exists():
            files = [path.name for path in sorted(run_folder.iterdir())]
            names += [f"runs/{run.name}/{file}" for file in files if not file.startswith(".")]
    digests = {name: digest_file(folder / name) for name in names}

    predicate = _predicate(plan, digests["plan.json"], runs, read_manifest(folder), key)
    statement = statement_document(RUN_TYPE, digests, predicate)
    path = folder / ENTRY
    write_atomic(path, dump_json(envelope.sign(dump_json(statement), key)))
    return path


def _predicate(
    plan: Plan,
    plan_sha256: str,
    runs: tuple[StatedRun, ...],
    manifest: Manifest,
    key: SigningKey,
) -> Predicate:
    """What an entry states."""
    budget = plan.budget
    return Predicate(
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
        suite=SuiteVersion(plan.suite, plan.version, plan.changes),
        plan=PlanReference(plan.id, plan_sha256, log_index=None),
        ranked=not manifest.unranked_because,
        budget=Budget(
            budget.environment_steps, budget.agent_steps, budget.action_repeat, budget.updates
        ),
        runs=runs,
        signer=Signer.of(key),
    )
