"""`reeval`: roll out every policy of an entry again. No code of a submission runs: networks are rebuilt from the plan's
settings, and tensors come from safetensors whose shapes are known beforehand.

Each policy is rolled out twice: on the stream of its claimed score, which on the same kind of machine must give the same
returns to the bit, and on a fresh stream that nobody could know before, whose returns the claimed ones must not exceed.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from agents.protocol import Agent
from agents.sparsity.regime import ModuleRegime
from envs.fingerprint import fingerprint
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness.entries.retrain import Retrained, train_again
from harness.entries.verified import Refused
from harness.errors import UNVERIFIED, Incomplete, UserError
from harness.files import digest_file, dump_json, write_atomic
from harness.folder import Folder
from harness.machine import provenance, resources
from harness.options import Options
from harness.planning.cohorts import kind
from harness.planning.plan import Plan, Run, read_plan
from harness.planning.shapes import task_shape
from harness.planning.sizing import BYTES_PER_PARAMETER
from harness.seeding import environment_seed, generator
from harness.training.agents import build_agent
from harness.training.evaluation import Evaluator
from harness.training.precision import prepare
from leaderboard.formats import envelope, strict_json
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.reeval import statement
from leaderboard.statistics.inflation import LEVEL, inflated, pooled
from leaderboard.verification.verify import verify

FILE = "reeval.dsse.json"
SLACK = 1 << 20
"""Bytes that a file of tensors may have beyond its tensors."""


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
    level: str
    same_platform: bool
    pooled_z: float | None
    runs: list[RunCheck]
    retrained: list[Retrained]
    defects: list[str]

    @property
    def accepted(self) -> bool:
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
    """Check an entry's policies, and train `retrain` runs of it again; sign what was found, beside the entry or to `to`.

    Raises Refused if the entry does not verify, Incomplete if environments break.
    """
    verdict = verify(entry, trust)
    if not verdict.accepted:
        raise Refused(verdict)
    folder = entry.parent
    predicate = strict_json.parse(envelope.payload(envelope.open_envelope(entry.read_bytes())))[
        "predicate"
    ]
    plan = read_plan(Folder(folder).plan)
    nonce = secrets.token_hex(16)
    torch.set_num_threads(1)
    prepare(plan.precision, "cpu", deterministic=False)
    try:
        with Worker(Options.watchdog_seconds) as worker:
            prints = {task: fingerprint(TASKS[task], worker) for task in plan.observations}
            same = _same_platform(predicate, prints)
            groups = list(_groups(plan, predicate))
            share = LEVEL / max(1, sum(len(claimed) for _, claimed in groups))
            trial = _Trial(folder, plan, worker, nonce, same, share)
            checks = [
                check for members, claimed in groups for check in _check(trial, members, claimed)
            ]
    except EnvironmentFault as fault:
        raise Incomplete(f"{fault}. Nothing was signed; the same command begins again.") from None
    again = train_again(folder, plan, predicate, retrain, nonce, same) if retrain else []
    z, p = pooled([check.z for check in checks]) if checks else (math.nan, 1.0)
    pooled_z = None if math.isnan(z) else z
    defects = [f"{check.run.name}: {check.defect}" for check in checks if check.defect]
    defects += [f"{found.run.name}: {found.defect}" for found in again if found.defect]
    if p < LEVEL and not defects:
        defects.append(
            f"all runs together: their returns are claimed too high (z {z:.1f}, p {p:.2g})"
        )
    if not checks:
        defects.append("no finished run has a policy: nothing could be re-evaluated")
    level = "L0" if defects else "L2" if again else "L1"
    facts = {
        "plan": plan.id,
        "level": level,
        "accepted": not defects,
        "nonce": nonce,
        "same_platform": same,
        "pooled_z": pooled_z,
        "runs": [_stated(check) for check in checks],
        "retrained": [{**found.__dict__, "run": found.run.name} for found in again],
        "versions": provenance.versions(),
        "hardware": provenance.hardware(),
        "fingerprints": prints,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path = to or folder / FILE
    write_atomic(
        path, dump_json(envelope.sign(dump_json(statement(digest_file(entry), facts, key)), key))
    )
    return Reevaluation(path, level, same, pooled_z, checks, again, defects)


def _stated(check: RunCheck) -> dict[str, Any]:
    names = ("repeated", "claimed", "observed", "p", "defect")
    return {"run": check.run.name, **{name: getattr(check, name) for name in names}}


def _same_platform(predicate: dict[str, Any], prints: dict[str, str]) -> bool:
    """Whether the entry says it comes from where every bit must come out again: a CPU of this kind, these versions."""
    mine, theirs = provenance.hardware(), predicate["hardware"]
    kinds = all(mine[name] == theirs.get(name) for name in ("architecture", "cpu", "cpu_flags"))
    on_cpu = not theirs.get("gpus")
    return (
        kinds
        and on_cpu
        and predicate["versions"] == provenance.versions()
        and predicate["fingerprints"] == prints
    )


Claimed = tuple[Run, list[float]]


def _groups(plan: Plan, predicate: dict[str, Any]) -> Iterator[tuple[int, list[Claimed]]]:
    """Finished runs by the number of members they trained with, task and network: what was one program is rolled out as one."""
    trained_alike = dict[tuple[Any, ...], list[Claimed]]()
    for stated in predicate["runs"]:
        if stated["status"] == "finished":
            run = Run(stated["task"], stated["regime"], stated["seed"])
            trained_alike.setdefault((stated["members"], *kind(plan, run)), []).append(
                (run, stated["final_returns"])
            )
    for (members, *_), found in trained_alike.items():
        for at in range(0, len(found), members):
            yield members, found[at : at + members]


def _check(trial: _Trial, members: int, claimed: list[Claimed]) -> list[RunCheck]:
    """Both rollouts of the policies of one group."""
    plan, runs = trial.plan, [run for run, _ in claimed]
    policies = _policies(trial.folder, plan, runs, members)
    filled = [
        runs[index % len(runs)] for index in range(members)
    ]  # the same number of members rounds the same way
    repeat, fresh = (
        _returns(plan, policies, filled, trial.worker, word)
        for word in ("final", f"reeval/{trial.nonce}")
    )
    checks = []
    for member, (run, returns) in enumerate(claimed):
        repeated = repeat[member].tolist() == returns
        z, p = inflated(returns, fresh[member].tolist())
        mean, observed = math.fsum(returns) / len(returns), float(fresh[member].mean())
        defect = None
        if trial.same and not repeated:
            again = float(repeat[member].mean())
            defect = f"its policy returns {again:.1f} on the claimed episodes here, not {mean:.1f}, on the same kind of machine"
        elif p < trial.level:
            defect = f"claims {mean:.1f}, fresh episodes return {observed:.1f} (p {p:.2g})"
        checks.append(RunCheck(run, repeated, mean, observed, p, z, defect))
    return checks


def _policies(folder: Path, plan: Plan, runs: list[Run], members: int) -> Agent:
    """An agent of our own code whose members have the tensors of these runs. Raises Unreadable for tensors that do not fit."""
    run, settings = runs[0], plan.agent_settings(runs[0])
    shapes = settings.shapes(task_shape(TASKS[run.task], plan.budget.action_repeat))
    weights = sum(
        copies * sum(layer.size for layer in layers) for layers, copies in shapes.values()
    )
    size = members * weights
    if size * BYTES_PER_PARAMETER / 2**30 > resources.memory_gib():
        raise Unreadable(
            f"{folder}: the plan's networks have {size} weights, more than there is memory for here."
        )
    dense = dict.fromkeys(settings.MODULES, ModuleRegime())
    agent = build_agent(
        plan,
        run,
        [dense] * members,
        lambda member, word: generator("reeval", run.task, member, word),
        agent_steps=1,
    )
    for member in range(members):
        path = Folder(folder).run(runs[member % len(runs)]).tensors("policy")
        _load(path, agent, settings.POLICY_MODULES, member)
    return agent


@torch.no_grad()
def _load(path: Path, agent: Agent, modules: tuple[str, ...], member: int) -> None:
    """Copy the tensors of a policy into a member, if they are exactly those that the settings ask for."""
    wanted = dict[str, torch.Tensor]()
    for name in modules:
        module = agent.modules()[name].parameters
        rows = slice(member * module.copies, (member + 1) * module.copies)
        wanted |= {
            f"{name}/{key}": value.detach()[rows] for key, value in module.parameters.items()
        }
    largest = sum(value.numel() * value.element_size() for value in wanted.values()) + SLACK
    try:
        if path.stat().st_size > largest:
            raise ValueError(f"has {path.stat().st_size} bytes, at most {largest} are read")
        found = load_file(path)
        if {name: (v.shape, v.dtype) for name, v in found.items()} != {
            name: (v.shape, v.dtype) for name, v in wanted.items()
        }:
            raise ValueError("does not hold the tensors of the plan's networks")
    except (OSError, ValueError, SafetensorError) as error:
        raise Unreadable(f"{path}: {error}") from None
    for name, value in wanted.items():
        value.copy_(found[name])


class Unreadable(UserError):
    """A policy that cannot be rolled out: the entry is refused."""

    code = UNVERIFIED


def _returns(
    plan: Plan, agent: Agent, runs: list[Run], worker: Worker, word: str
) -> NDArray[np.float64]:
    """Returns of the final protocol on a stream: [P, episodes]."""
    slots = range(plan.evaluation.environments)
    seeds = [
        [environment_seed(plan.seed_source, run.task, run.seed, f"{word}/{slot}") for slot in slots]
        for run in runs
    ]
    evaluator = Evaluator(
        worker,
        TASKS[runs[0].task],
        seeds,
        plan.evaluation.final_episodes,
        plan.budget.action_repeat,
    )
    returns = evaluator(agent.snapshot(), 0)
    evaluator.close()
    return returns


def verdict_lines(found: Reevaluation) -> Iterator[str]:
    """What was found, a line a run."""
    for check in found.runs:
        how = "repeated to the bit" if check.repeated else "not repeated to the bit"
        yield f"{check.run.name}: claimed {check.claimed:.1f}, fresh episodes {check.observed:.1f} (p {check.p:.2g}); {how}"
    for again in found.retrained:
        yield f"{again.run.name}: trained again: {'the same records' if again.repeated else f'scores {again.observed}'}"
    if found.pooled_z is not None:
        yield f"pooled over runs: z {found.pooled_z:.2f}"
    yield from (f"REFUSED: {defect}" for defect in found.defects)
    yield f"{found.statement}: {found.level}, {'accepted' if found.accepted else 'REFUSED'}"
