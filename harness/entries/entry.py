"""From a plan folder to a signed entry: results.csv, manifest.json, the Statement, the envelope."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.entries.manifest import Manifest, read_manifest
from harness.files import digest_file, dump_json, write_atomic
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan, Run
from harness.training.faults import Fault, all_faults
from harness.training.results import Failure, read_results
from leaderboard.formats import envelope
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.statement import RUN_TYPE, STATEMENT_TYPE, results_csv


def stated_runs(
    folder: Path, plan: Plan, faults: dict[Cohort, tuple[Fault, ...]] | None = None
) -> list[dict[str, Any]]:
    """Every planned run in the plan's order: its result, or that it is missing and the last fault of its cohort.

    `faults`: of all cohorts, where they were read already.
    """
    if faults is None:
        faults = all_faults(folder)
    results = read_results(folder, plan.runs)
    broke = {run: noted[-1] for cohort, noted in faults.items() for run in cohort.runs}
    return [results.get(run) or _missing(run, broke.get(run)) for run in plan.runs]


def _missing(run: Run, fault: Fault | None) -> dict[str, Any]:
    names = ("updates", "weights", "parameters", "flops", "rewires", "mask_first", "mask_last")
    nothing: dict[str, Any] = {**{name: {} for name in names}, "signs": []}
    broken = Failure("infrastructure", fault.reason, fault.agent_step) if fault else None
    where = {
        **asdict(run),
        "status": "missing",
        "failure": asdict(broken) if broken else None,
        "chain_head": None,
    }
    return {
        **where,
        **nothing,
        "score": None,
        "final_returns": [],
        "environment_steps": 0,
        "members": 0,
    }


def write_entry(
    folder: Path, plan: Plan, key: SigningKey, runs: list[dict[str, Any]] | None = None
) -> Path:
    """Sign what lies in a plan folder (its manifest must be there); returns the entry's path.

    `runs`: its stated runs, where they were read already.
    """
    if runs is None:
        runs = stated_runs(folder, plan)
    write_atomic(Folder(folder).results, results_csv(runs))
    signed = (Folder(folder).plan, Folder(folder).manifest, Folder(folder).results)
    names = [path.name for path in signed]
    for run in plan.runs:
        present = Folder(folder).run(run)
        if present.result.exists():
            names += [
                f"runs/{run.name}/{path.name}"
                for path in sorted(present.path.iterdir())
                if not path.name.startswith(".")
            ]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": digest_file(folder / name)}} for name in names
        ],
        "predicateType": RUN_TYPE,
        "predicate": predicate(folder, plan, runs, read_manifest(folder), key),
    }
    path = Folder(folder).entry
    write_atomic(path, dump_json(envelope.sign(dump_json(statement), key)))
    return path


def predicate(
    folder: Path, plan: Plan, runs: list[dict[str, Any]], made: Manifest, key: SigningKey | None
) -> dict[str, Any]:
    """What an entry states. Without a key it has no signer and cannot become an entry."""
    document = plan.document()
    shared = (
        "nonce",
        "source",
        "versions",
        "hardware",
        "image",
        "fingerprints",
        "canary",
        "times",
        "resumes",
        "unranked_because",
    )
    return {
        **{name: value for name, value in asdict(made).items() if name in shared},
        "suite": {"name": plan.suite, "version": plan.version, "changes": list(plan.changes)},
        "plan": {"id": plan.id, "sha256": digest_file(Folder(folder).plan), "log_index": None},
        "ranked": not made.unranked_because,
        "budget": document["budget"],
        "runs": runs,
        "signer": key
        and {"key_id": key.key_id, "public_key": key.public_hex, "one_use": key.one_use},
    }
