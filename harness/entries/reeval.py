"""`reeval`: roll out every policy of an entry again.

No code of a submission runs: networks are rebuilt from the plan's settings, and tensors come from
safetensors whose shapes are known beforehand. Each policy is rolled out twice: on the stream of its
claimed score, which on the same kind of machine must give the same returns to the bit, and on a
fresh stream that nobody could know before, whose returns the claimed ones must not exceed.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agents.protocol import Agent
from envs.fingerprint import fingerprint
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness.config import build
from harness.entries.policies import load_policies
from harness.entries.retrain import Retrained, train_again
from harness.entries.verified import accepted
from harness.errors import Incomplete
from harness.files import digest_file, dump_json, write_atomic
from harness.folder import Folder
from harness.machine import provenance
from harness.options import Options
from harness.planning.cohorts import kind
from harness.planning.plan import Plan, Run, read_plan
from harness.seeding import environment_seed
from harness.training.evaluation import Evaluator
from harness.training.precision import prepare
from leaderboard.formats import envelope
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.manifest import Hardware
from leaderboard.formats.reeval import Level, RolledOut, TrainedAgain, reeval_document
from leaderboard.formats.reeval import Reevaluation as Stated
from leaderboard.formats.statement import Predicate, Signer
from leaderboard.statistics.inflation import LEVEL, inflated, pooled
from leaderboard.verification.verify import verify

FILE = "reeval.dsse.json"


@dataclass(frozen=True)
class RunCheck:
    """One policy, rolled out again."""

    run: Run
    repeated: bool
    """Whether the claimed returns came out again, to the bit."""
    claimed: float
    observed: float
    """Mean return on the fresh stream."""
    p: float
    """Of the claim not being too high."""
    z: float
    defect: str | None


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


@dataclass(frozen=True)
class _Trial:
    """What all rollouts of a re-evaluation share."""

    folder: Path
    plan: Plan
    worker: Worker
    nonce: str
    same: bool
    """Whether bits must come out again."""
    level: float
    """Of the test of one run."""


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
            checks = _check_all(_Trial(folder, plan, worker, nonce, same, LEVEL), predicate)
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


Claimed = tuple[Run, Sequence[float]]
"""A run and its final returns, as stated."""


def _check_all(trial: _Trial, predicate: Predicate) -> list[RunCheck]:
    """Every policy of an entry; the level of the trial is shared out over the runs."""
    groups = list(_groups(trial.plan, predicate))
    runs = sum(len(claimed) for _, claimed in groups)
    trial = replace(trial, level=trial.level / max(1, runs))
    checks = []
    for members, claimed in groups:
        checks += _check(trial, members, claimed)
    return checks


def _groups(plan: Plan, predicate: Predicate) -> Iterator[tuple[int, list[Claimed]]]:
    """Finished runs by the number of members they trained with, task and network: what was one
    program is rolled out as one."""
    alike: dict[tuple[int, tuple[object, ...]], list[Claimed]] = {}
    for stated in predicate.runs:
        if stated.finished:
            run = Run(stated.task, stated.regime, stated.seed)
            program = (stated.members, kind(plan, run))
            alike.setdefault(program, []).append((run, stated.final_returns))
    for (members, _), claimed in alike.items():
        for first in range(0, len(claimed), members):
            yield members, claimed[first : first + members]


def _check(trial: _Trial, members: int, claimed: list[Claimed]) -> list[RunCheck]:
    """Both rollouts of the policies of one group."""
    runs = [run for run, _ in claimed]
    agent = load_policies(trial.folder, trial.plan, runs, members)

    # The same number of members rounds the same way.
    filled = [runs[index % len(runs)] for index in range(members)]
    repeated = _returns(trial, agent, filled, "final")
    fresh = _returns(trial, agent, filled, f"reeval/{trial.nonce}")
    return [
        _compare(trial, run, returns, repeated[member].tolist(), fresh[member].tolist())
        for member, (run, returns) in enumerate(claimed)
    ]


def _compare(
    trial: _Trial, run: Run, claimed: Sequence[float], repeated: list[float], fresh: list[float]
) -> RunCheck:
    """One policy's claimed returns beside those of both rollouts."""
    same = repeated == list(claimed)
    z, p = inflated(claimed, fresh)
    mean = math.fsum(claimed) / len(claimed)
    observed = float(np.mean(fresh))
    defect = None
    if trial.same and not same:
        defect = (
            f"its policy returns {float(np.mean(repeated)):.1f} on the claimed episodes here, not"
            f" {mean:.1f}, on the same kind of machine"
        )
    elif p < trial.level:
        defect = f"claims {mean:.1f}, fresh episodes return {observed:.1f} (p {p:.2g})"
    return RunCheck(run, same, mean, observed, p, z, defect)


def _returns(trial: _Trial, agent: Agent, runs: list[Run], word: str) -> NDArray[np.float64]:
    """Returns of the final protocol on a stream: [P, episodes]."""
    plan = trial.plan
    slots = range(plan.evaluation.environments)
    seeds = [
        [environment_seed(plan.seed_source, run.task, run.seed, f"{word}/{slot}") for slot in slots]
        for run in runs
    ]
    evaluator = Evaluator(
        trial.worker,
        TASKS[runs[0].task],
        seeds,
        plan.evaluation.final_episodes,
        plan.budget.action_repeat,
    )
    returns = evaluator(agent.snapshot(), 0)
    evaluator.close()
    return returns


def verdict_lines(reevaluation: Reevaluation) -> Iterator[str]:
    """The outcome, a line a run."""
    for check in reevaluation.runs:
        how = "repeated to the bit" if check.repeated else "not repeated to the bit"
        scores = f"claimed {check.claimed:.1f}, fresh episodes {check.observed:.1f}"
        yield f"{check.run.name}: {scores} (p {check.p:.2g}); {how}"
    for again in reevaluation.retrained:
        outcome = "the same records" if again.repeated else f"scores {again.observed}"
        yield f"{again.run.name}: trained again: {outcome}"
    if reevaluation.pooled_z is not None:
        yield f"pooled over runs: z {reevaluation.pooled_z:.2f}"
    yield from (f"REFUSED: {defect}" for defect in reevaluation.defects)
    verdict = "accepted" if reevaluation.accepted else "REFUSED"
    yield f"{reevaluation.statement}: {reevaluation.level}, {verdict}"
