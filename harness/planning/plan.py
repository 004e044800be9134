"""A plan: a suite resolved to the last default. Its id is a digest of what decides numbers, and of nothing else."""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import rfc8785

from agents.catalog import AGENTS, agent_spec
from agents.sparsity.counting import Size, size
from agents.sparsity.regime import ModuleRegime, Regime
from agents.spec import AgentSpec, TaskShape
from envs.tasks import TASKS
from harness.config import build
from harness.errors import UserError, suggestion
from harness.files import write_atomic
from harness.folder import Folder
from harness.machine import image
from harness.planning.regimes import ResolvedRegime, ResolvedSuite
from harness.planning.shapes import task_shape
from harness.planning.suite import Claim, Evaluation
from harness.seeding import SUITE_SOURCE
from leaderboard.formats import strict_json

SCHEMA = "urn:mst-bench:plan:v1"


@dataclass(frozen=True)
class Run:
    """What one learning curve comes from."""

    task: str
    regime: str
    seed: int

    @property
    def name(self) -> str:
        """`task/regime/seed`, also its folder under runs/."""
        return f"{self.task}/{self.regime}/{self.seed}"

    @property
    def kind(self) -> str:
        """`task/regime`"""
        return f"{self.task}/{self.regime}"


@dataclass(frozen=True)
class Own:
    """Settings and blocks in which a regime's network differs from the suite's."""

    settings: dict[str, Any]
    blocks: dict[str, str]


@dataclass(frozen=True)
class Budget:
    """How much every run does; results are checked against it by equality."""

    environment_steps: int
    agent_steps: int
    action_repeat: int
    updates: dict[str, int]


@dataclass(frozen=True)
class Plan:
    """plan.json."""

    schema: str
    suite: str
    version: int
    changes: tuple[str, ...]
    """How this differs from the shipped suite of that name: a changed plan cannot be ranked."""
    seed_source: str
    precision: Literal["float32", "tf32", "bfloat16"]
    agent: str
    settings: dict[str, Any]
    blocks: dict[str, str]
    own: dict[str, Own]
    """`task/regime` -> what its network has of its own."""
    regimes: dict[str, dict[str, ModuleRegime]]
    sizes: dict[str, Size]
    """`task/regime` -> parameters and operations, dense and active."""
    claims: tuple[Claim, ...]
    """What a study tests."""
    budget: Budget
    evaluation: Evaluation
    observations: dict[str, dict[str, int]]
    """For each task, the observation keys and widths that the agent sees."""
    runs: tuple[Run, ...]

    def document(self) -> dict[str, Any]:
        """plan.json as plain data."""
        return asdict(self)

    def canonical(self) -> bytes:
        """RFC 8785 bytes: what is written and what the id digests."""
        return rfc8785.dumps(json.loads(json.dumps(self.document())))

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of the sha256 of the canonical bytes."""
        return hashlib.sha256(self.canonical()).hexdigest()[:16]

    def agent_settings(self, run: Run | None = None) -> AgentSpec:
        """The algorithm's settings, as the suite has them or as a run has them."""
        if self.agent not in AGENTS:
            raise UserError(
                f"plan.json: agent: unknown agent '{self.agent}'.{suggestion(self.agent, AGENTS)}"
            )
        own = self.own[run.kind].settings if run and run.kind in self.own else {}
        return build(agent_spec(self.agent), {**self.settings, **own}, "plan.json: settings")

    def blocks_of(self, run: Run) -> dict[str, str]:
        """Block types of a run's modules, and its kind of residual."""
        return {**self.blocks, **(self.own[run.kind].blocks if run.kind in self.own else {})}


def make_plan(resolved: ResolvedSuite, changes: tuple[str, ...] = ()) -> Plan:
    """The plan of a suite; `changes` are the overrides it was read with."""
    suite = resolved.suite
    shapes = {task: task_shape(TASKS[task], suite.action_repeat) for task in suite.tasks}
    own = dict[str, Own]()
    sizes = dict[str, Size]()
    for task, name in itertools.product(suite.tasks, suite.regimes):
        regime = resolved.regimes[name]
        settings = _matched(resolved, regime, shapes[task])
        sizes[f"{task}/{name}"] = _size(settings, regime.modules, shapes[task])

        # What of this network is not the suite's
        different = Own(
            _different(asdict(resolved.settings), asdict(settings)),
            _different(resolved.blocks, regime.blocks),
        )
        if different != Own({}, {}):
            own[f"{task}/{name}"] = different

    seeds = range(suite.first_seed, suite.first_seed + suite.seeds)
    runs = itertools.product(suite.tasks, seeds, suite.regimes)
    return Plan(
        schema=SCHEMA,
        suite=suite.suite,
        version=suite.version,
        changes=changes,
        seed_source=SUITE_SOURCE,
        precision=suite.precision,
        agent=suite.agent,
        settings=asdict(resolved.settings),
        blocks=dict(resolved.blocks),
        own=own,
        regimes={name: dict(regime.modules) for name, regime in resolved.regimes.items()},
        sizes=sizes,
        claims=suite.claims,
        budget=Budget(
            suite.environment_steps, suite.agent_steps, suite.action_repeat, resolved.updates
        ),
        evaluation=suite.evaluation,
        observations={task: dict(TASKS[task].observation) for task in suite.tasks},
        runs=tuple(Run(task, regime, seed) for task, seed, regime in runs),
    )


def _matched(resolved: ResolvedSuite, regime: ResolvedRegime, task: TaskShape) -> AgentSpec:
    """A regime's settings on one task: the widest network with no more parameters than the regime
    it matches has active ones."""
    if regime.match is None:
        return regime.settings
    model = resolved.models[regime.match]
    target = _size(model.settings, model.modules, task).active

    def too_large(width: int) -> bool:
        narrower = regime.settings.with_width(width)
        return _size(narrower, regime.modules, task).active > target

    # The first width that is too large, by bisection
    widths = range(1, regime.settings.width + 1)
    width = bisect.bisect_left(widths, True, key=too_large)
    return regime.settings.with_width(max(1, width))


def _size(settings: AgentSpec, regime: Regime, task: TaskShape) -> Size:
    return size(settings.shapes(task), regime, settings.flops)


def _different(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Entries in which `own` differs from `base`."""
    return {name: value for name, value in own.items() if value != base[name]}


def check_writable(out: Path) -> None:
    """At second 0: UserError if nothing can be written under OUT."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: OSError) -> UserError:
    in_container = (
        " In a container: `mkdir -p out` before, and `--user $(id -u):$(id -g)`."
        if image.content()
        else ""
    )
    return UserError(
        f"--out {out}: cannot be written ({error.strerror}); choose a folder of yours.{in_container}"
    )


def write_plan(plan: Plan, out: Path) -> Path:
    """Write OUT/<plan id>/plan.json before the first step; returns the folder."""
    folder = out / plan.id
    path = Folder(folder).plan
    if path.exists() and path.read_bytes() != plan.canonical():
        raise UserError(
            f"{path}: is not the plan that its folder names; move it away or choose another --out."
        )
    try:
        write_atomic(path, plan.canonical())
    except OSError as error:
        raise _unwritable(out, error) from None
    return folder


def read_plan(path: Path) -> Plan:
    """The plan in a file, checked as strictly as a suite."""
    try:
        data = path.read_bytes()
        document = strict_json.parse(data)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable plan ({error}).") from None
    plan = build(Plan, document, "plan.json")
    plan.agent_settings()
    if plan.schema != SCHEMA:
        raise UserError(f"{path}: schema is {plan.schema}, this version reads {SCHEMA}.")
    for run in plan.runs:
        if run.task not in TASKS or run.regime not in plan.regimes or run.seed < 0:
            raise UserError(f"{path}: run {run.name} names an unknown task or regime.")
        if run.kind not in plan.sizes:
            raise UserError(f"{path}: sizes: states none of {run.kind}.")
        plan.agent_settings(run)
    modules = agent_spec(plan.agent).MODULES
    for name, regime in plan.regimes.items():
        if set(regime) != set(modules):
            raise UserError(f"{path}: regime {name} must state {', '.join(modules)}.")
    try:
        canonical = plan.canonical() == data
    except ValueError:  # a number that RFC 8785 cannot hold
        canonical = False
    if not canonical:
        raise UserError(
            f"{path}: is not in canonical form; it was edited. Make it anew with `mst-bench plan`."
        )
    return plan
