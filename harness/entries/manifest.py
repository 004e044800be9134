"""Makes and reads manifest.json: when, where and by which code a plan was carried out."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from envs.fingerprint import fingerprint
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness.config import build
from harness.entries import ranking
from harness.errors import Incomplete
from harness.files import read_json, write_json
from harness.folder import Folder
from harness.machine import provenance
from harness.options import Options
from harness.planning.plan import Plan
from harness.training.canary import canary
from harness.training.faults import all_faults
from harness.training.results import read_timings
from leaderboard.formats.manifest import (
    MANIFEST_SCHEMA,
    Hardware,
    Image,
    Manifest,
    SourceCode,
    Times,
)


def manifest(folder: Path, plan: Plan, started: float, command: str) -> Manifest:
    """The manifest of a plan folder as it is now. Raises Incomplete if the environments break."""
    # How this machine simulates, and in which image.
    fingerprints = _fingerprints(plan)
    image = provenance.image_facts()

    # What every cohort wrote down when it ended.
    timings = read_timings(folder, plan.runs)
    drifted = any(timing.drifted for timing in timings)

    return Manifest(
        schema=MANIFEST_SCHEMA,
        plan=plan.id,
        nonce=secrets.token_hex(16),
        command=command,
        # How it went
        # A clock that was set back meanwhile must not make an entry that nobody accepts.
        times=Times(_iso(started), _iso(max(started, datetime.now(UTC).timestamp()))),
        resumes=max((timing.resumes for timing in timings), default=0),
        faults=sum(len(faults) for faults in all_faults(folder).values()),
        # Code and machine
        source=build(SourceCode, provenance.source(), "source"),
        versions=provenance.versions(),
        hardware=build(Hardware, provenance.hardware(), "hardware"),
        image=build(Image, image, "image") if image else None,
        fingerprints=fingerprints,
        canary=canary(plan.agent),
        unranked_because=tuple(ranking.unranked_because(plan, drifted, fingerprints)),
    )


def _fingerprints(plan: Plan) -> dict[str, str]:
    """Task -> fingerprint of its simulation on this machine."""
    try:
        with Worker(Options.watchdog_seconds) as worker:
            return {task: fingerprint(TASKS[task], worker) for task in plan.observations}
    except EnvironmentFault as fault:
        raise Incomplete(
            f"no fingerprint could be taken: {fault}. All results are kept; the same command"
            " resumes."
        ) from None


def write_manifest(folder: Path, plan: Plan, started: float, command: str) -> None:
    """Writes the manifest of a plan folder."""
    write_json(Folder(folder).manifest, asdict(manifest(folder, plan, started, command)))


def read_manifest(folder: Path) -> Manifest:
    """manifest.json of a plan folder."""
    path = Folder(folder).manifest
    return build(Manifest, read_json(path), str(path))


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
