"""A plan: a suite resolved to the last default. Its id is a digest of what decides numbers, and of nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import rfc8785

from agents.catalog import AGENTS, settings_class
from agents.sparsity.regime import MODULES, ModuleRegime
from envs.tasks import TASKS
from harness import image
from harness import suite as suites
from harness.config import build
from harness.errors import UserError, suggestion
from harness.records import write_atomic
from harness.seeding import SUITE_SOURCE
from leaderboard import strict_json

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
    precision: Literal["float32"]
    agent: str
    settings: dict[str, Any]
    blocks: dict[str, str]
    regimes: dict[str, dict[str, ModuleRegime]]
    budget: Budget
    evaluation: suites.Evaluation
    observations: dict[str, dict[str, int]]
    """For each task, the observation keys and widths that the agent sees."""
    runs: tuple[Run, ...]

    def document(self) -> dict[str, Any]:
        """plan.json as plain data."""
        return dataclasses.asdict(self)

    def canonical(self) -> bytes:
        """RFC 8785 bytes: what is written and what the id digests."""
        return rfc8785.dumps(json.loads(json.dumps(self.document())))

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of the sha256 of the canonical bytes."""
        return hashlib.sha256(self.canonical()).hexdigest()[:16]

    def agent_settings(self) -> Any:
        """The agent's settings dataclass."""
        if self.agent not in AGENTS:
            raise UserError(f"plan.json: agent: unknown agent '{self.agent}'.{suggestion(self.agent, AGENTS)}")
        return build(settings_class(self.agent), self.settings, "plan.json: settings")


def make_plan(suite: suites.Suite, changes: tuple[str, ...] = ()) -> Plan:
    """Resolve a suite; `changes` are the overrides it was read with."""
    settings = suites.agent_settings(suite, suite.suite)
    regimes = {name: suites.resolve_regime(suite, name, suite.suite) for name in suite.regimes}
    runs = (Run(task, regime, seed) for task in suite.tasks for seed in range(suite.seeds) for regime in suite.regimes)
    return Plan(
        schema=SCHEMA,
        suite=suite.suite,
        version=suite.version,
        changes=changes,
        seed_source=SUITE_SOURCE,
        precision="float32",
        agent=suite.agent,
        settings=dataclasses.asdict(settings),
        blocks=dataclasses.asdict(suite.blocks),
        regimes=regimes,
        budget=Budget(suite.environment_steps, suite.agent_steps, suite.action_repeat, settings.updates(suite.agent_steps)),
        evaluation=suite.evaluation,
        observations={task: dict(TASKS[task].observation) for task in suite.tasks},
        runs=tuple(runs),
    )


def check_writable(out: Path) -> None:
    """At second 0: UserError if nothing can be written under OUT."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: OSError) -> UserError:
    in_container = " In a container: `mkdir -p out` before, and `--user $(id -u):$(id -g)`." if image.content() else ""
    return UserError(f"--out {out}: cannot be written ({error.strerror}); choose a folder of yours.{in_container}")


def write_plan(plan: Plan, out: Path) -> Path:
    """Write OUT/<plan id>/plan.json before the first step; returns the folder."""
    folder = out / plan.id
    path = folder / "plan.json"
    if path.exists() and path.read_bytes() != plan.canonical():
        raise UserError(f"{path}: is not the plan that its folder names; move it away or choose another --out.")
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
    for name, regime in plan.regimes.items():
        if set(regime) != set(MODULES):
            raise UserError(f"{path}: regime {name} must state {', '.join(MODULES)}.")
    try:
        canonical = plan.canonical() == data
    except ValueError:  # a number that RFC 8785 cannot hold
        canonical = False
    if not canonical:
        raise UserError(f"{path}: is not in canonical form; it was edited. Make it anew with `mst-bench plan`.")
    return plan
