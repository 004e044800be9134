"""`reeval`: roll out every policy of an entry again.

No code of a submission runs: networks are rebuilt from the plan's settings, and tensors come from
safetensors whose shapes are known beforehand (policies.py). What the rollouts and, if asked for,
some trainings say of the entry is signed.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from envs.fingerprint import fingerprint
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness.config import build
from harness.entries.retrain import Retrained, train_again
from harness.entries.rollout import RunCheck, Trial, roll_out
from harness.entries.verified import accepted
from harness.errors import Incomplete
from harness.files import digest_file, dump_json, write_atomic
from harness.folder import Folder
from harness.machine import provenance
from harness.options import Options
from harness.planning.plan import Plan, read_plan
from harness.training.precision import prepare
from leaderboard.formats import envelope
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.manifest import Hardware
from leaderboard.formats.reeval import Level, RolledOut, TrainedAgain, reeval_document
from leaderboard.formats.reeval import Reevaluation as Stated
from leaderboard.formats.statement import Predicate, Signer
from leaderboard.statistics.inflation import LEVEL, pooled
from leaderboard.verification.verify import verify

FILE = "reeval.dsse.json"


@dataclass(frozen=True)
class Reevaluation:
    """What came of it all."""

    statement: Path
    level: Level
    same_platform: bool
    pooled_z: float | None
    runs: list[RunCheck]
    retrained: list[Retrained]
    defects: list[str]

    @property
    def accepted(self) -> bool:
        """Whether nothing contradicts the entry."""
        return not self.defects


def reevaluate(
    entry: Path,
    key: SigningKey,
    to: Path | None = None,
    retrain: int = 0,
    trust: Path | None = None,
) -> Reevaluation:
    """Check an entry's policies, and train `retrain` runs of it again; sign the outcome, beside the
    entry or to `to`.

    Raises Refused if the entry does not verify, Incomplete if environments break.
    """
    predicate = accepted(entry, verify(entry, trust)).documents.statement.predicate
    folder = entry.parent
    plan = read_plan(Folder(folder).plan)
    nonce = secrets.token_hex(16)
    torch.set_num_threads(1)
    prepare(plan.precision, "cpu", deterministic=False)

    # Roll out every policy, then train some runs again.
    try:
        with Worker(Options.watchdog_seconds) as worker:
            fingerprints = {task: fingerprint(TASKS[task], worker) for task in plan.observations}
            same = _same_platform(predicate, fingerprints)
            trial = Trial(folder, plan, worker, nonce, same, LEVEL)
            checks = roll_out(trial, predicate.runs)
    except EnvironmentFault as fault:
        raise Incomplete(f"{fault}. Nothing was signed; the same command begins again.") from None
    again = train_again(folder, plan, predicate.runs, retrain, nonce, same) if retrain else []

    # Judge them one by one and together, and sign that.
    z, p = pooled([check.z for check in checks]) if checks else (math.nan, 1.0)
    defects = _defects(checks, again, z, p)
    path = to or folder / FILE
    reevaluation = Reevaluation(
        statement=path,
        level=_level(defects, again),
        same_platform=same,
        pooled_z=None if math.isnan(z) else z,
        runs=checks,
        retrained=again,
        defects=defects,
    )
    stated = _stated(reevaluation, plan, nonce, fingerprints, key)
    document = dump_json(reeval_document(digest_file(entry), stated))
    write_atomic(path, dump_json(envelope.sign(document, key)))
    return reevaluation


def _level(defects: list[str], again: list[Retrained]) -> Level:
    if defects:
        return "L0"
    return "L2" if again else "L1"


def _defects(checks: list[RunCheck], again: list[Retrained], z: float, p: float) -> list[str]:
    """What contradicts the entry, in words. `z`, `p`: of all runs together."""
    defects = [f"{check.run.name}: {check.defect}" for check in checks if check.defect]
    defects += [f"{run.run.name}: {run.defect}" for run in again if run.defect]
    if p < LEVEL and not defects:
        defects.append(
            f"all runs together: their returns are claimed too high (z {z:.1f}, p {p:.2g})"
        )
    if not checks:
        defects.append("no finished run has a policy: nothing could be re-evaluated")
    return defects


def _stated(
    reevaluation: Reevaluation,
    plan: Plan,
    nonce: str,
    fingerprints: dict[str, str],
    key: SigningKey,
) -> Stated:
    """What is signed of a re-evaluation."""
    runs = [
        RolledOut(
            check.run.name, check.repeated, check.claimed, check.observed, check.p, check.defect
        )
        for check in reevaluation.runs
    ]
    retrained = [
        TrainedAgain(run.run.name, run.repeated, run.claimed, run.observed, run.defect)
        for run in reevaluation.retrained
    ]
    return Stated(
        signer=Signer.of(key),
        plan=plan.id,
        level=reevaluation.level,
        accepted=reevaluation.accepted,
        nonce=nonce,
        same_platform=reevaluation.same_platform,
        pooled_z=reevaluation.pooled_z,
        runs=tuple(runs),
        retrained=tuple(retrained),
        versions=provenance.versions(),
        hardware=build(Hardware, provenance.hardware(), "hardware"),
        fingerprints=fingerprints,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _same_platform(predicate: Predicate, fingerprints: dict[str, str]) -> bool:
    """Whether the entry says it comes from where every bit must come out again: a CPU of this kind,
    these versions, this simulation."""
    mine = build(Hardware, provenance.hardware(), "hardware")
    theirs = predicate.hardware
    same_cpu = (mine.architecture, mine.cpu, mine.cpu_flags) == (
        theirs.architecture,
        theirs.cpu,
        theirs.cpu_flags,
    )
    same_versions = predicate.versions == provenance.versions()
    return same_cpu and not theirs.gpus and same_versions and predicate.fingerprints == fingerprints


def verdict_lines(reevaluation: Reevaluation) -> Iterator[str]:
    """The outcome, a line a run."""
    for check in reevaluation.runs:
        how = "repeated to the bit" if check.repeated else "not repeated to the bit"
        scores = f"claimed {check.claimed:.1f}, fresh episodes {check.observed:.1f}"
        yield f"{check.run.name}: {scores} (p {check.p:.2g}); {how}"
    for again in reevaluation.retrained:
        outcome = "the same records" if again.repeated else f"scores {again.observed}"
        yield f"{again.run.name}: trained again: {outcome}"

    # Everything together, and the verdict last.
    if reevaluation.pooled_z is not None:
        yield f"pooled over runs: z {reevaluation.pooled_z:.2f}"
    yield from (f"REFUSED: {defect}" for defect in reevaluation.defects)
    verdict = "accepted" if reevaluation.accepted else "REFUSED"
    yield f"{reevaluation.statement}: {reevaluation.level}, {verdict}"
