"""A plan: a suite resolved to the last default.

plan.json holds what decides numbers and what follows from it; its digest is the plan's id.
suite.json beside it holds what decides no number: the plan's name, the changes to its suite, and
what is claimed of it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import rfc8785

from agents.catalog import AGENTS, agent_spec
from agents.sparsity.counting import Size
from agents.sparsity.regime import ModuleRegime
from agents.spec import AgentSpec
from envs.tasks import TASKS
from harness.config import build
from harness.errors import UserError, suggestion
from harness.files import write_atomic, write_json
from harness.folder import Folder
from harness.machine import image
from harness.planning.suite import Claim, Evaluation
from leaderboard.formats import strict_json

SCHEMA: Literal["urn:mst-bench:plan:v2"] = "urn:mst-bench:plan:v2"
SUITE_SCHEMA: Literal["urn:mst-bench:suite:v1"] = "urn:mst-bench:suite:v1"


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
    def group(self) -> str:
        """`task/regime`: runs that differ in their seed alone."""
        return f"{self.task}/{self.regime}"


@dataclass(frozen=True)
class Own:
    """Settings and blocks in which a regime's network differs from the suite's."""

    settings: dict[str, object]
    blocks: dict[str, str]


@dataclass(frozen=True)
class Budget:
    """How much every run does; results are checked against it by equality."""

    environment_steps: int
    agent_steps: int
    action_repeat: int
    updates: dict[str, int]
    """Of each module."""


@dataclass(frozen=True)
class SuiteReference:
    """suite.json: the suite that a plan was made from."""

    schema: Literal["urn:mst-bench:suite:v1"]
    name: str
    version: int
    changes: tuple[str, ...]
    """How the plan differs from the shipped suite of that name: a changed plan cannot be ranked."""
    claims: tuple[Claim, ...]
    """What a study tests."""


@dataclass(frozen=True)
class Plan:
    """plan.json, and the suite it was made from."""

    schema: Literal["urn:mst-bench:plan:v2"]
    suite: SuiteReference
    """suite.json; it is no part of plan.json, nor of the id."""
    seed_source: str
    precision: Literal["float32", "tf32", "bfloat16"]
    agent: str
    modules: tuple[str, ...]
    """The agent's modules, in the order in which tables and files name them."""
    policy_modules: tuple[str, ...]
    """Those that acting needs: what a re-evaluation loads."""
    settings: dict[str, object]
    """The agent's own."""
    blocks: dict[str, str]
    own: dict[str, Own]
    """`task/regime` -> what its network has of its own."""
    regimes: dict[str, dict[str, ModuleRegime]]
    sizes: dict[str, Size]
    """`task/regime` -> parameters and operations, dense and active."""
    budget: Budget
    evaluation: Evaluation
    observations: dict[str, dict[str, int]]
    """For each task, the observation keys and widths that the agent sees."""
    runs: tuple[Run, ...]

    def document(self) -> dict[str, object]:
        """plan.json as plain data."""
        document = asdict(self)
        del document["suite"]
        return document

    def canonical(self) -> bytes:
        """RFC 8785 bytes: what is written, and what the id digests."""
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

        # A regime with a network of its own states only where it differs.
        settings = self.settings
        if run is not None and run.group in self.own:
            settings = {**settings, **self.own[run.group].settings}
        return build(agent_spec(self.agent), settings, "plan.json: settings")

    def blocks_of(self, run: Run) -> dict[str, str]:
        """Block types of a run's modules, and its kind of residual."""
        if run.group not in self.own:
            return self.blocks
        return {**self.blocks, **self.own[run.group].blocks}


# -- files --


def check_writable(out: Path) -> None:
    """UserError if nothing can be written under OUT: called at second 0, before any work."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: OSError) -> UserError:
    advice = "choose a folder of yours."
    if image.content():
        advice += " In a container: `mkdir -p out` before, and `--user $(id -u):$(id -g)`."
    return UserError(f"--out {out}: cannot be written ({error.strerror}); {advice}")


def write_plan(plan: Plan, out: Path) -> Path:
    """Writes plan.json and suite.json into OUT/<plan id> before the first step; returns the folder.

    UserError if the folder holds another plan, or a signed entry of another suite with these runs.
    """
    # The id is a digest: another plan in this folder was copied or edited there.
    folder = Folder(out / plan.id)
    if folder.plan.exists() and folder.plan.read_bytes() != plan.canonical():
        raise UserError(
            f"{folder.plan}: is not the plan that its folder names; move it away or choose another"
            " --out."
        )

    # Two suites may have equal plans; an entry names the suite that it was signed for.
    if folder.entry.exists() and folder.suite.exists():
        signed = _read_suite(folder.suite)
        if signed != plan.suite:
            raise UserError(
                f"{folder.path}: holds the entry of suite {signed.name} version {signed.version}"
                f" ({_changes(signed)}), which has the same runs. Choose another --out."
            )

    # The plan comes last: a folder with a plan has its suite too.
    try:
        write_json(folder.suite, asdict(plan.suite))
        write_atomic(folder.plan, plan.canonical())
    except OSError as error:
        raise _unwritable(out, error) from None
    return folder.path


def _changes(suite: SuiteReference) -> str:
    return " ".join(suite.changes) if suite.changes else "unchanged"


def read_plan(path: Path) -> Plan:
    """The plan in a file, and the suite beside it, checked as strictly as a suite's own file."""
    content, document = _read_document(path)

    # The suite stands in its own file, so that it can change and the id stays.
    if isinstance(document, dict):
        if "suite" in document:
            raise UserError(f"{path}: suite: unknown key; the suite stands in suite.json.")
        suite = _read_suite(Folder(path.parent).suite)
        document = {**document, "suite": asdict(suite)}
    plan = build(Plan, document, "plan.json")
    _check_runs(plan, path)
    _check_modules(plan, path)

    # Equal plans have equal bytes, and so equal ids. RFC 8785 cannot hold every number.
    try:
        canonical = plan.canonical() == content
    except ValueError:
        canonical = False
    if not canonical:
        raise UserError(
            f"{path}: is not in canonical form; it was edited. Make it anew with `mst-bench plan`."
        )
    return plan


def _read_document(path: Path) -> tuple[bytes, object]:
    """Bytes and content of a file that this program wrote."""
    try:
        content = path.read_bytes()
        return content, strict_json.parse(content)
    except OSError as error:
        raise UserError(f"{path}: not a readable plan ({error.strerror}).") from None
    except ValueError as error:
        raise UserError(f"{path}: not a readable plan ({error}).") from None


def _read_suite(path: Path) -> SuiteReference:
    _, document = _read_document(path)
    return build(SuiteReference, document, "suite.json")


def _check_runs(plan: Plan, path: Path) -> None:
    """Every run has a task, a regime, a size and settings; UserError names the first without."""
    plan.agent_settings()
    for task in plan.observations:
        if task not in TASKS:
            raise UserError(f"{path}: observations: unknown task '{task}'.")
    for run in plan.runs:
        if run.task not in TASKS or run.regime not in plan.regimes or run.seed < 0:
            raise UserError(f"{path}: run {run.name} names an unknown task or regime.")
        if run.group not in plan.sizes:
            raise UserError(f"{path}: sizes: states none of {run.group}.")
        plan.agent_settings(run)


def _check_modules(plan: Plan, path: Path) -> None:
    """The modules are the agent's, and every regime states each of them."""
    spec = agent_spec(plan.agent)
    if (plan.modules, plan.policy_modules) != (spec.MODULES, spec.POLICY_MODULES):
        raise UserError(
            f"{path}: modules are {', '.join(plan.modules)} and {', '.join(plan.policy_modules)},"
            f" agent {plan.agent} has {', '.join(spec.MODULES)} and"
            f" {', '.join(spec.POLICY_MODULES)}."
        )

    # Every regime must have a triple for every module.
    for name, regime in plan.regimes.items():
        if set(regime) != set(plan.modules):
            raise UserError(f"{path}: regime {name} must state {', '.join(plan.modules)}.")
