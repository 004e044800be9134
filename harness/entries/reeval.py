"""`reeval`: rolls out every policy of an entry again, and signs what that says of the entry.

No code of a submission runs: networks are rebuilt from the plan's settings, and tensors come from
safetensors whose shapes are known beforehand (policies.py). `--retrain` trains some runs again too.
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
from harness.entries.verified import accepted, judge
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

FILE = "reeval.dsse.json"


@dataclass(frozen=True)
class Reevaluation:
    """The outcome of a re-evaluation."""

    statement: Path
    """The file of the signed statement."""
    level: Level
    same_platform: bool
    """Whether bits had to come out again."""
    pooled_z: float | None
    """Of the claims of all runs together being too high; None without a finished run."""
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
    """Checks an entry's policies, trains `retrain` runs of it again, and signs the outcome, beside
    the entry or to `to`.

    Raises Refused if the entry does not verify, Incomplete if environments break.
    """
    predicate = accepted(entry, judge(entry, trust)).documents.statement.predicate
    folder = entry.parent
    plan = read_plan(Folder(folder).plan)
    nonce = secrets.token_hex(16)
    torch.set_num_threads(1)
    prepare(plan.precision, "cpu", deterministic=False)

    # Roll out every policy, on streams that nobody could know before this nonce.
    try:
        with Worker(Options.watchdog_seconds) as worker:
            fingerprints = {task: fingerprint(TASKS[task], worker) for task in plan.observations}
            same = _same_platform(predicate, fingerprints)
            trial = Trial(folder, plan, worker, nonce, same, LEVEL)
            checks = roll_out(trial, predicate.runs)
    except EnvironmentFault as fault:
        raise Incomplete(f"{fault}. Nothing was signed; the same command begins again.") from None

    # Train some runs again.
    again = list[Retrained]()
    if retrain:
        again = train_again(folder, plan, predicate.runs, retrain, nonce, same)

    # Sign the outcome, a refusal too.
    reevaluation = _outcome(to or folder / FILE, same, checks, again)
    stated = _stated(reevaluation, plan, nonce, fingerprints, key)
    document = dump_json(reeval_document(digest_file(entry), stated))
    write_atomic(reevaluation.statement, dump_json(envelope.sign(document, key)))
    return reevaluation


def _outcome(
    statement: Path, same: bool, checks: list[RunCheck], again: list[Retrained]
) -> Reevaluation:
    """What rollouts and trainings say of an entry, one by one and together."""
    z = math.nan
    p = 1.0
    if checks:
        z, p = pooled([check.z for check in checks])
    defects = _defects(checks, again, z, p)
    return Reevaluation(
        statement=statement,
        level=_level(defects, again),
        same_platform=same,
        pooled_z=None if math.isnan(z) else z,
        runs=checks,
        retrained=again,
        defects=defects,
    )


def _level(defects: list[str], again: list[Retrained]) -> Level:
    if defects:
        return "L0"
    return "L2" if again else "L1"


def _defects(checks: list[RunCheck], again: list[Retrained], z: float, p: float) -> list[str]:
    """What contradicts the entry, in words. `z`, `p`: of all runs together."""
    defects = [f"{check.run.name}: {check.defect}" for check in checks if check.defect]
    defects += [f"{run.run.name}: {run.defect}" for run in again if run.defect]

    # A small exaggeration in every run shows only in all of them together.
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
    """The outcome as it is signed."""
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
        # Outcome
        plan=plan.id,
        level=reevaluation.level,
        accepted=reevaluation.accepted,
        nonce=nonce,
        same_platform=reevaluation.same_platform,
        pooled_z=reevaluation.pooled_z,
        runs=tuple(runs),
        retrained=tuple(retrained),
        # Where and when it came out
        versions=provenance.versions(),
        hardware=build(Hardware, provenance.hardware(), "hardware"),
        fingerprints=fingerprints,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _same_platform(predicate: Predicate, fingerprints: dict[str, str]) -> bool:
    """Whether every bit of the entry must come out again here: it states a CPU like this one, these
    versions and this simulation."""
    mine = build(Hardware, provenance.hardware(), "hardware")
    theirs = predicate.hardware
    same_cpu = (mine.architecture, mine.cpu, mine.cpu_flags) == (
        theirs.architecture,
        theirs.cpu,
        theirs.cpu_flags,
    )

    # A GPU sums in another order than this CPU.
    same_versions = predicate.versions == provenance.versions()
    same_simulation = predicate.fingerprints == fingerprints
    return same_cpu and not theirs.gpus and same_versions and same_simulation


def verdict_lines(reevaluation: Reevaluation) -> Iterator[str]:
    """The outcome in words, a line for each run."""
    for check in reevaluation.runs:
        repeated = "repeated to the bit" if check.repeated else "not repeated to the bit"
        scores = f"claimed {check.claimed:.1f}, fresh episodes {check.observed:.1f}"
        yield f"{check.run.name}: {scores} (p {check.p:.2g}); {repeated}"
    for again in reevaluation.retrained:
        outcome = "the same records" if again.repeated else f"scores {again.observed}"
        yield f"{again.run.name}: trained again: {outcome}"

    # All runs together, and the verdict last.
    if reevaluation.pooled_z is not None:
        yield f"pooled over runs: z {reevaluation.pooled_z:.2f}"
    yield from (f"REFUSED: {defect}" for defect in reevaluation.defects)
    verdict = "accepted" if reevaluation.accepted else "REFUSED"
    yield f"{reevaluation.statement}: {reevaluation.level}, {verdict}"
