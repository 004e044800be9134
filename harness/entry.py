"""From a plan folder to a signed entry: results.csv, manifest.json, the Statement, the envelope."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envs.fingerprint import fingerprint
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness import provenance
from harness.canary import canary
from harness.config import build
from harness.errors import Incomplete
from harness.faults import Fault, all_faults
from harness.options import Options
from harness.plan import Plan, Run
from harness.records import digest_file, dump_json, read_json, write_atomic, write_json
from harness.results import Failure, read_results, read_timings
from leaderboard import envelope
from leaderboard.keys import SigningKey
from leaderboard.statement import RUN_TYPE, STATEMENT_TYPE, results_csv

ENTRY, MANIFEST = "entry.dsse.json", "manifest.json"
MANIFEST_SCHEMA = "urn:mst-bench:manifest:v1"


def stated_runs(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """Every planned run in the plan's order: its result, or that it is missing and the last fault of its cohort."""
    results = read_results(folder, plan.runs)
    broke = {run: noted[-1] for cohort, noted in all_faults(folder).items() for run in cohort.runs}
    return [results.get(run) or _missing(run, broke.get(run)) for run in plan.runs]


def _missing(run: Run, fault: Fault | None) -> dict[str, Any]:
    names = ("updates", "weights", "parameters", "flops", "rewires", "mask_first", "mask_last")
    nothing: dict[str, Any] = {**{name: {} for name in names}, "signs": []}
    broken = Failure("infrastructure", fault.reason, fault.agent_step) if fault else None
    where = {**asdict(run), "status": "missing", "failure": asdict(broken) if broken else None, "chain_head": None}
    return {**where, **nothing, "score": None, "final_returns": [], "environment_steps": 0, "members": 0}


@dataclass(frozen=True)
class Manifest:
    """manifest.json: when, where and with what a plan was carried out. None of it decides a number."""

    schema: str
    plan: str
    nonce: str
    command: str
    """As typed."""
    times: dict[str, str]
    resumes: int
    faults: int
    """Infrastructure faults of all cohorts."""
    source: dict[str, Any]
    versions: dict[str, str]
    hardware: dict[str, Any]
    image: dict[str, str] | None
    """Variant and content digest of the reference image; None outside one."""
    fingerprints: dict[str, str]
    """Of each task, as this machine simulates it."""
    canary: str
    """Digest of a short training by this code on this CPU (harness/canary.py)."""
    unranked_because: tuple[str, ...]


def manifest(folder: Path, plan: Plan, started: float, command: str) -> Manifest:
    """The manifest of a plan folder as it is now. Raises Incomplete if the environments break."""
    try:
        with Worker(Options.watchdog_seconds) as worker:
            fingerprints = {task: fingerprint(TASKS[task], worker) for task in plan.observations}
    except EnvironmentFault as fault:
        raise Incomplete(f"no fingerprint could be taken: {fault}. All results are kept; the same command goes on.") from None
    timings = read_timings(folder, plan.runs)
    return Manifest(
        schema=MANIFEST_SCHEMA,
        plan=plan.id,
        nonce=secrets.token_hex(16),
        command=command,
        times={"started": _iso(started), "ended": _iso(datetime.now(UTC).timestamp())},
        resumes=max((timing.resumes for timing in timings), default=0),
        faults=sum(len(noted) for noted in all_faults(folder).values()),
        source=provenance.source(),
        versions=provenance.versions(),
        hardware=provenance.hardware(),
        image=provenance.image_facts(),
        fingerprints=fingerprints,
        canary=canary(),
        unranked_because=tuple(provenance.unranked_because(plan, any(timing.drifted for timing in timings), fingerprints)),
    )


def write_manifest(folder: Path, plan: Plan, started: float, command: str) -> None:
    """Write the manifest of a plan folder."""
    write_json(folder / MANIFEST, asdict(manifest(folder, plan, started, command)))


def read_manifest(folder: Path) -> Manifest:
    """manifest.json of a plan folder."""
    return build(Manifest, read_json(folder / MANIFEST), str(folder / MANIFEST))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def write_entry(folder: Path, plan: Plan, key: SigningKey) -> Path:
    """Sign what lies in a plan folder (its manifest must be there); returns the entry's path."""
    runs = stated_runs(folder, plan)
    write_atomic(folder / "results.csv", results_csv(runs))
    names = ["plan.json", MANIFEST, "results.csv"]
    for run in plan.runs:
        present = folder / "runs" / run.name
        if (present / "result.json").exists():
            names += [f"runs/{run.name}/{path.name}" for path in sorted(present.iterdir()) if not path.name.startswith(".")]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest_file(folder / name)}} for name in names],
        "predicateType": RUN_TYPE,
        "predicate": predicate(folder, plan, runs, read_manifest(folder), key),
    }
    path = folder / ENTRY
    write_atomic(path, dump_json(envelope.sign(dump_json(statement), key)))
    return path


def predicate(folder: Path, plan: Plan, runs: list[dict[str, Any]], made: Manifest, key: SigningKey | None) -> dict[str, Any]:
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
        "plan": {"id": plan.id, "sha256": digest_file(folder / "plan.json"), "log_index": None},
        "ranked": not made.unranked_because,
        "budget": document["budget"],
        "runs": runs,
        "signer": key and {"key_id": key.key_id, "public_key": key.public_hex, "one_use": key.one_use},
    }
