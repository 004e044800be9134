"""A plan: a suite resolved to the last default.

plan.json holds what decides numbers and what follows from it; its digest is the plan's id.
suite.json beside it holds what decides no number: the plan's name, the changes to its suite, and
what is claimed of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import rfc8785

from agents.catalog import AGENTS, agent_spec
from agents.sparsity.regime import ModuleRegime
from agents.spec import AgentSpec
from harness.config import build
from harness.errors import UserError, suggestion
from harness.files import write_atomic, write_json
from harness.folder import Folder
from harness.machine import image
from harness.planning.counting import count
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.names import OWN
from leaderboard.formats.network import Network, Size, Triple
from leaderboard.formats.plan import SUITE_SOURCE, Budget, Evaluation, Own, parse_plan, suite_digest
from leaderboard.formats.plan import Plan as Stated
from leaderboard.formats.run import Run
from leaderboard.formats.shipped import check_named, named
from leaderboard.formats.suite import SuiteReference


@dataclass(frozen=True)
class Plan:
    """plan.json, and the suite it was made from."""

    schema: Literal["urn:mst-bench:plan:v4"]
    suite: SuiteReference
    """suite.json; it is no part of plan.json, nor of the id."""
    seed_source: str
    """`suite`, or `log:` and what was drawn after the plan was registered."""
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
    networks: dict[str, dict[str, Network]]
    """`task/regime` -> its modules, layer by layer."""
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
    def registered(self) -> bool:
        """Whether its seeds were drawn after it was registered in the log of a board."""
        return self.seed_source != SUITE_SOURCE

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of the sha256 of the canonical bytes."""
        return hashlib.sha256(self.canonical()).hexdigest()[:16]

    def called(self, name: str, changes: tuple[str, ...]) -> Plan:
        """This plan under the name that it may bear: only a shipped suite's plan bears its own
        (leaderboard/formats/shipped.py); that of any other begins with `own-`."""
        suite = replace(self.suite, name=name.removeprefix(OWN), changes=changes)
        return replace(self, suite=named(suite, suite_digest(self.canonical())))

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
        """Block types of a run's modules, and how its residuals are built."""
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
    """The plan in a file, and the suite beside it; UserError says what is wrong with either."""
    return plan_of(*read_stated(path))


def read_stated(path: Path) -> tuple[Stated, SuiteReference]:
    """A plan as its file states it, and the suite beside it, checked as `verify` checks them."""
    try:
        content = path.read_bytes()
        stated = parse_plan(content, str(path))
        suite = _read_suite(Folder(path.parent).suite)
        check_named(suite, suite_digest(content))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        sentence = str(error).rstrip(".")
        raise UserError(f"{sentence}. Make it anew with `mst-bench plan`.") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}. Make it anew with `mst-bench plan`.") from None
    return stated, suite


def plan_of(stated: Stated, suite: SuiteReference) -> Plan:
    """The plan that a document states; UserError if its networks are not those that its settings
    give, which only the algorithm knows."""
    names = [field.name for field in dataclasses.fields(stated)]
    fields: dict[str, Any] = {name: getattr(stated, name) for name in names}
    regimes = dict[str, dict[str, ModuleRegime]]()
    for name, regime in stated.regimes.items():
        regimes[name] = {module: _module_regime(triple) for module, triple in regime.items()}
    plan = Plan(**{**fields, "suite": suite, "regimes": regimes})

    # Updates, sizes and layers follow from the settings.
    if plan.agent_settings().updates(plan.budget.agent_steps) != plan.budget.updates:
        raise UserError("plan.json: budget: updates are not those that the settings give.")
    for run in {run.group: run for run in plan.runs}.values():
        triples = plan.regimes[run.regime]
        repeat = plan.budget.action_repeat
        counted = count(plan.agent_settings(run), triples, run.task, repeat)
        if counted != (plan.sizes[run.group], plan.networks[run.group]):
            raise UserError(f"plan.json: {run.group}: its layers are not those of its settings.")
    return plan


def _module_regime(triple: Triple) -> ModuleRegime:
    return ModuleRegime(**asdict(triple))


def _read_suite(path: Path) -> SuiteReference:
    try:
        return parse(SuiteReference, path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        raise UserError(str(error)) from None
