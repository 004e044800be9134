"""plan.json for whoever judges an entry: every field typed, every limit stated.

The harness has a type of its own (harness/planning/plan.py), which makes plans and trains by them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import rfc8785

from leaderboard.formats.catalogue import Algorithm, catalogue
from leaderboard.formats.document import DocumentError, build, parse_json, suggestion
from leaderboard.formats.names import check_module, check_name
from leaderboard.formats.network import Network, Regime, Size
from leaderboard.formats.run import Run

PLAN_SCHEMA: Literal["urn:mst-bench:plan:v4"] = "urn:mst-bench:plan:v4"
SUITE_SOURCE: Literal["suite"] = "suite"
"""Seeds that follow from the suite file alone. They are reproducible, but unranked: a submitter
could try several."""
DRAFT_SOURCE = "log"
"""What stands for the seeds in a draft: a plan that was not registered yet has none."""
SEED_SOURCE = re.compile(r"suite|log:[0-9a-f]{64}", re.ASCII)
MOST = 10**12
"""Largest plausible number of steps or updates of a run."""
MOST_RUNS = 10_000
MOST_STATED = 200_000
"""Episodes of all runs that an entry states, or a re-evaluation. With both limits a statement has
as many values, and an envelope as many bytes, as are read of one (strict_json, envelope)."""
MOST_EPISODES = 10_000
"""Of one measurement of a policy."""
MOST_ENVIRONMENTS = 1000
"""Of the evaluation of one run."""


@dataclass(frozen=True)
class Budget:
    """How much every run does; results are checked against it by equality."""

    environment_steps: int
    agent_steps: int
    action_repeat: int
    updates: dict[str, int]
    """Of each module."""

    def __post_init__(self) -> None:
        steps = (self.environment_steps, self.agent_steps, self.action_repeat)
        if not all(1 <= count <= MOST for count in steps):
            raise ValueError(f"steps are {steps}, expected 1 to {MOST} each")
        if self.environment_steps != self.agent_steps * self.action_repeat:
            raise ValueError(
                f"{self.environment_steps} environment steps are not {self.agent_steps} agent"
                f" steps of {self.action_repeat}"
            )
        if not all(0 <= count <= MOST for count in self.updates.values()):
            raise ValueError(f"updates are {self.updates}, expected 0 to {MOST} each")


@dataclass(frozen=True)
class Evaluation:
    """When and how a policy is measured; its steps are counted apart from the budget."""

    every: int
    """Agent steps between evaluations."""
    episodes: int
    """Episodes of each evaluation."""
    final_episodes: int
    """Episodes of the final policy, whose mean is the score that a run claims."""
    fresh_episodes: int
    """Episodes of a re-evaluation, on a stream that nobody knew before: their mean is the score
    from L1 on."""
    environments: int
    """Evaluation environments of each run (`eval_envs`); divides all episode counts."""

    def __post_init__(self) -> None:
        if not 1 <= self.every <= MOST:
            raise ValueError(f"every is {self.every}, expected at least 1")
        for name in ("episodes", "final_episodes", "fresh_episodes"):
            count = getattr(self, name)
            if not 1 <= count <= MOST_EPISODES:
                raise ValueError(f"{name} is {count}, expected 1 to {MOST_EPISODES}")

            # Every environment plays the same number of episodes.
            if not 1 <= self.environments <= MOST_ENVIRONMENTS or count % self.environments:
                raise ValueError(
                    f"environments is {self.environments}, expected a divisor of {name} ({count}),"
                    f" at most {MOST_ENVIRONMENTS}"
                )

    @property
    def stated(self) -> dict[str, int]:
        """Episodes of a run whose returns an entry states, or a re-evaluation."""
        return {"final_episodes": self.final_episodes, "fresh_episodes": self.fresh_episodes}


@dataclass(frozen=True)
class Own:
    """Settings and blocks in which a regime's network differs from the suite's."""

    settings: dict[str, object]
    blocks: dict[str, str]


@dataclass(frozen=True)
class Plan:
    """plan.json."""

    schema: Literal["urn:mst-bench:plan:v4"]
    seed_source: str
    """`suite`: seeds follow from the suite alone. `log:` and 64 hexadecimal digits: they were drawn
    after the plan was registered in the log of a board (registration.py)."""
    precision: Literal["float32", "tf32", "bfloat16"]
    agent: str
    modules: tuple[str, ...]
    """What every run trains, in the order of tables and pages."""
    policy_modules: tuple[str, ...]
    """The modules that acting needs: a re-evaluation loads them."""
    settings: dict[str, object]
    """The agent's own."""
    blocks: dict[str, str]
    """Block type of each module, and how residuals are built."""
    own: dict[str, Own]
    """`task/regime` -> what its network has of its own."""
    regimes: dict[str, Regime]
    sizes: dict[str, Size]
    """`task/regime` -> how large its network is."""
    networks: dict[str, dict[str, Network]]
    """`task/regime` -> its modules, layer by layer."""
    budget: Budget
    evaluation: Evaluation
    observations: dict[str, dict[str, int]]
    """For each task, the observation keys and widths that the agent sees."""
    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        if not SEED_SOURCE.fullmatch(self.seed_source):
            raise ValueError(
                f"seed_source: {self.seed_source[:80]!r} is neither {SUITE_SOURCE} nor log: and 64"
                " hexadecimal digits"
            )
        if self.agent not in catalogue().algorithms:
            known = suggestion(self.agent, catalogue().algorithms)
            raise ValueError(f"agent: unknown algorithm {self.agent!r}.{known}")
        self._check_algorithm(catalogue().algorithms[self.agent])
        self._check_tasks()
        self._check_runs()
        self._check_regimes()
        self._check_networks()

    @property
    def tasks(self) -> tuple[str, ...]:
        """In the plan's order."""
        return tuple(self.observations)

    @property
    def registered(self) -> bool:
        """Whether it says that its seeds were drawn after it was registered."""
        return self.seed_source != SUITE_SOURCE

    def _check_algorithm(self, algorithm: Algorithm) -> None:
        """Modules, settings and blocks are the algorithm's."""
        if (self.modules, self.policy_modules) != (algorithm.modules, algorithm.policy_modules):
            raise ValueError(
                f"modules are {', '.join(self.modules)} and {', '.join(self.policy_modules)}, agent"
                f" {self.agent} has {', '.join(algorithm.modules)} and"
                f" {', '.join(algorithm.policy_modules)}"
            )
        for module in self.modules:
            check_module(module)
        if set(self.budget.updates) != set(self.modules):
            raise ValueError("budget: states updates of other modules than the plan's")

        # Settings and blocks by name; what they may be is known to whoever trains.
        if set(self.settings) != set(algorithm.settings):
            raise ValueError(f"settings: are not those of agent {self.agent}")
        if set(self.blocks) != {*algorithm.blocks, *catalogue().residuals}:
            raise ValueError(f"blocks: are not those of agent {self.agent}")
        self._check_blocks("blocks", self.blocks)
        for group, own in self.own.items():
            if not set(own.settings) <= set(algorithm.settings):
                raise ValueError(f"own.{group}: has settings that agent {self.agent} has not")
            self._check_blocks(f"own.{group}", own.blocks)

    def _check_blocks(self, location: str, blocks: dict[str, str]) -> None:
        values = {**dict.fromkeys(self.modules, catalogue().blocks), **catalogue().residuals}
        for key, name in blocks.items():
            if name not in values.get(key, ()):
                raise ValueError(f"{location}: {key} {name!r} is no block of this algorithm")

    def _check_tasks(self) -> None:
        """Tasks and what is seen of them are the catalogue's."""
        tasks = catalogue().tasks
        for task, observation in self.observations.items():
            if task not in tasks:
                raise ValueError(f"observations: unknown task {task!r}.{suggestion(task, tasks)}")
            if observation != tasks[task].observations:
                raise ValueError(f"observations: {task} is observed otherwise than the catalogue's")
            if tasks[task].horizon % self.budget.action_repeat:
                raise ValueError(
                    f"budget: action_repeat is {self.budget.action_repeat}, expected a divisor of"
                    f" {tasks[task].horizon}"
                )

    def _check_runs(self) -> None:
        """Every run is planned once, and everything that the plan states is of a run."""
        if not 1 <= len(self.runs) <= MOST_RUNS:
            raise ValueError(f"has {len(self.runs)} runs, expected 1 to {MOST_RUNS}")
        for name, count in self.evaluation.stated.items():
            if count * len(self.runs) > MOST_STATED:
                raise ValueError(
                    f"evaluation: {name} is {count}, with {len(self.runs)} runs expected at most"
                    f" {MOST_STATED // len(self.runs)}"
                )
        ((run, times),) = Counter(self.runs).most_common(1)
        if times > 1:
            raise ValueError(f"run {run.name}: is planned {times} times")

        # Whatever judges a run looks up its task, its regime, its size and its networks.
        planned = {
            "observations": (set(self.observations), {run.task for run in self.runs}),
            "regimes": (set(self.regimes), {run.regime for run in self.runs}),
            "sizes": (set(self.sizes), {run.group for run in self.runs}),
            "networks": (set(self.networks), {run.group for run in self.runs}),
        }
        for table, (stated, needed) in planned.items():
            for name in sorted(stated ^ needed):
                what = "no run has" if name in stated else "states nothing of"
                raise ValueError(f"{table}: {what} {name!r}")
        for group in self.own:
            if group not in self.sizes:
                raise ValueError(f"own: no run has {group!r}")

    def _check_regimes(self) -> None:
        """Every regime trains the plan's modules."""
        for name, regime in self.regimes.items():
            check_name(name, "regime")
            if set(regime) != set(self.modules):
                raise ValueError(f"regime {name}: trains other modules than the plan states")

    def _check_networks(self) -> None:
        """Every network has the plan's modules, keeps what its regime keeps, and is counted."""
        for group, networks in self.networks.items():
            if set(networks) != set(self.modules):
                raise ValueError(f"networks.{group}: has other modules than the plan states")
            regime = self.regimes[group.partition("/")[2]]
            try:
                for module, network in networks.items():
                    network.check_kept(regime[module])
                self.sizes[group].check(networks)
            except ValueError as error:
                raise ValueError(f"{group}: {error}") from None


def parse_plan(content: bytes, location: str) -> Plan:
    """The plan in the bytes of a plan.json; DocumentError says what is wrong with them."""
    document = parse_json(content, location)

    # Before anything that takes time for each of them.
    runs = document.get("runs") if isinstance(document, dict) else None
    if isinstance(runs, list) and len(runs) > MOST_RUNS:
        raise DocumentError(f"{location}: has {len(runs)} runs, expected at most {MOST_RUNS}")

    # Equal plans have equal bytes, and so equal ids. RFC 8785 cannot hold every number.
    try:
        canonical = rfc8785.dumps(document) == content  # type: ignore[arg-type]
    except (ValueError, RecursionError):
        canonical = False
    if not canonical:
        raise DocumentError(f"{location}: is not in canonical form; it was edited")
    return build(Plan, document, location)


def suite_digest(content: bytes) -> str:
    """What names a suite's plan: sha256 of the canonical bytes of plan.json without its seed
    source."""
    document = _document(content)
    del document["seed_source"]
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()  # type: ignore[arg-type]


def with_seeds(content: bytes, source: str) -> bytes:
    """The canonical bytes of the same plan with seeds of another source."""
    return rfc8785.dumps({**_document(content), "seed_source": source})  # type: ignore[dict-item]


def draft_digest(content: bytes) -> str:
    """What a registration announces: sha256 of the plan as it is before it has seeds."""
    return hashlib.sha256(with_seeds(content, DRAFT_SOURCE)).hexdigest()


def _document(content: bytes) -> dict[str, object]:
    document = parse_json(content, "plan.json")
    assert isinstance(document, dict) and "seed_source" in document, "a plan was read before"
    return dict(document)
