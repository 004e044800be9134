"""manifest.json: when, where and with what a plan was carried out."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envs.fingerprint import fingerprint
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness.config import build
from harness.entries import ranking
from harness.errors import Incomplete
from harness.files import read_json, write_json
from harness.folder import Folder
from harness.machine import provenance
from harness.machine.canary import canary
from harness.options import Options
from harness.planning.plan import Plan
from harness.training.faults import all_faults
from harness.training.results import read_timings

MANIFEST_SCHEMA = "urn:mst-bench:manifest:v1"


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
    """Digest of a short training by this code on this CPU (harness/machine/canary.py)."""
    unranked_because: tuple[str, ...]


def manifest(folder: Path, plan: Plan, started: float, command: str) -> Manifest:
    """The manifest of a plan folder as it is now. Raises Incomplete if the environments break."""
    try:
        with Worker(Options.watchdog_seconds) as worker:
            fingerprints = {task: fingerprint(TASKS[task], worker) for task in plan.observations}
    except EnvironmentFault as fault:
        raise Incomplete(
            f"no fingerprint could be taken: {fault}. All results are kept; the same command resumes."
        ) from None
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
        canary=canary(plan.agent),
        unranked_because=tuple(
            ranking.unranked_because(plan, any(timing.drifted for timing in timings), fingerprints)
        ),
    )


def write_manifest(folder: Path, plan: Plan, started: float, command: str) -> None:
    """Write the manifest of a plan folder."""
    write_json(Folder(folder).manifest, asdict(manifest(folder, plan, started, command)))


def read_manifest(folder: Path) -> Manifest:
    """manifest.json of a plan folder."""
    path = Folder(folder).manifest
    return build(Manifest, read_json(path), str(path))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
