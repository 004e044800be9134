"""A suite: a YAML file that states tasks x regimes x seeds, agent settings, budget and evaluation. Read strictly, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from agents.blocks import BLOCKS
from agents.catalog import AGENTS, settings_class
from agents.sparsity.regime import MODULES, REGIMES, TRIPLES, ModuleRegime
from envs.tasks import TASKS
from harness.config import apply_overrides, build, read_yaml
from harness.errors import UserError, suggestion
from harness.suites import shipped


@dataclass(frozen=True)
class Sparsity:
    """What every sparse module of the suite uses unless its regime says otherwise."""

    level: float = 0.6
    """Share of a sparse module's Linear weights that is zero (arXiv 2510.12096 uses 0.6)."""
    interval: int = 1000
    """Updates of a module between its rewires."""
    drop_fraction: float = 0.3
    """Share of active weights dropped at the start of the cosine."""
    end: float = 0.75
    """Share of the run after which masks stay."""


@dataclass(frozen=True)
class Blocks:
    """Block type of each module, the same for all runs of a suite."""

    encoder: str = "T6"
    critic: str = "T6"
    actor: str = "T5"

    def __post_init__(self) -> None:
        for module in MODULES:
            if getattr(self, module) not in BLOCKS:
                raise ValueError(f"{module}: unknown block type '{getattr(self, module)}', expected one of {', '.join(BLOCKS)}")


@dataclass(frozen=True)
class Evaluation:
    """When and how a policy is measured; its steps are counted apart from the budget."""

    every: int = 5000
    """Agent steps between evaluations."""
    episodes: int = 10
    """Episodes of each evaluation."""
    final_episodes: int = 50
    """Episodes of the final policy, whose mean is the run's score."""
    environments: int = 10
    """Evaluation environments of each run (`eval_envs`); divides both episode counts."""

    def __post_init__(self) -> None:
        for name in ("every", "episodes", "final_episodes", "environments"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        if self.episodes % self.environments or self.final_episodes % self.environments:
            counts = f"episodes ({self.episodes}) and final_episodes ({self.final_episodes})"
            raise ValueError(f"environments is {self.environments}, expected a divisor of {counts}")


@dataclass(frozen=True)
class Suite:
    """A suite file, as read."""

    suite: str
    """Its name."""
    version: int
    """Raised whenever a number that decides results changes."""
    description: str
    """One line for `list suites`."""
    tasks: tuple[str, ...]
    """Task names."""
    regimes: tuple[str, ...]
    """Regimes to compare; `define` may add own ones."""
    seeds: int
    """Seed indices 0 .. seeds - 1 of each task and regime."""
    environment_steps: int = 1_000_000
    """Budget of one run: steps of the simulator."""
    action_repeat: int = 2
    """Environment steps of one agent step."""
    device: Literal["any", "cuda"] = "any"
    """What the suite needs; `--device` overrides."""
    agent: str = "mrq"
    """Algorithm."""
    blocks: Blocks = field(default_factory=Blocks)
    """Block types."""
    sparsity: Sparsity = field(default_factory=Sparsity)
    """Defaults of sparse modules."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    """Evaluation protocol."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The agent's settings that differ from its defaults."""
    define: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Own regimes: name -> {encoder, critic, actor: dense | static | rigl, or a mapping with rule, level, interval ..}."""

    @property
    def agent_steps(self) -> int:
        return self.environment_steps // self.action_repeat


def load(name: str, overrides: tuple[str, ...] = ()) -> Suite:
    """The suite of a shipped name, or in a file named with a path; UserError says what is wrong and where."""
    path = _find(name)
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected a mapping that begins with 'suite:', found {type(document).__name__}.")
    place = path.name
    suite = build(Suite, apply_overrides(document, overrides), place)
    _check(suite, place)
    return suite


def _find(name: str) -> Path:
    known = shipped()
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        if not path.is_file():
            raise UserError(f"--suite {name}: no such file.")
        return path
    raise UserError(f"--suite {name}: unknown suite.{suggestion(name, known)} A file is named by its path, as ./my.yaml.")


def _check(suite: Suite, place: str) -> None:
    """Names and limits that concern more than one field."""
    _names(suite.tasks, TASKS, f"{place}: tasks", "task")
    _names(suite.regimes, (*REGIMES, *suite.define), f"{place}: regimes", "regime")
    _names((suite.agent,), AGENTS, f"{place}: agent", "agent")
    if suite.seeds < 1:
        raise UserError(f"{place}: seeds is {suite.seeds}, expected at least 1.")
    if suite.action_repeat < 1 or any(TASKS[task].horizon % suite.action_repeat for task in suite.tasks):
        raise UserError(f"{place}: action_repeat is {suite.action_repeat}, expected a divisor of every task's episode length.")
    if suite.environment_steps < 1 or suite.environment_steps % suite.action_repeat:
        raise UserError(
            f"{place}: environment_steps is {suite.environment_steps}, expected a positive multiple of action_repeat."
        )
    settings = agent_settings(suite, place)
    if settings.updates(suite.agent_steps)["critic"] < 1:
        raise UserError(f"{place}: {suite.agent_steps} agent steps end before the warm-up does; nothing would be learned.")
    for name in suite.regimes:
        regime = resolve_regime(suite, name, place)
        for module, part in regime.items():
            if part.rule != "none" and part.interval % settings.target_cycle:
                raise UserError(
                    f"{place}: regimes.{name}.{module}: interval {part.interval} is not a multiple of target_cycle"
                    f" {settings.target_cycle}; masks change just before targets are copied."
                )


def _names(names: tuple[str, ...], known: Any, place: str, what: str) -> None:
    if not names:
        raise UserError(f"{place}: expected at least one {what}.")
    for name in names:
        if name not in known:
            raise UserError(f"{place}: unknown {what} '{name}'.{suggestion(name, known)}")
    if len(set(names)) != len(names):
        raise UserError(f"{place}: a {what} is named twice.")


def agent_settings(suite: Suite, place: str) -> Any:
    """The agent's settings with all defaults resolved."""
    return build(settings_class(suite.agent), suite.settings, f"{place}: settings")


def resolve_regime(suite: Suite, name: str, place: str) -> dict[str, ModuleRegime]:
    """The triple of each module, with the suite's sparsity defaults filled in."""
    source: dict[str, Any] = suite.define[name] if name in suite.define else dict(REGIMES[name][0])
    for module in source:
        if module not in MODULES:
            raise UserError(f"{place}: define.{name}.{module}: unknown module.{suggestion(module, MODULES)}")
    return {
        module: _resolve_module(suite, source.get(module, "dense"), f"{place}: define.{name}.{module}") for module in MODULES
    }


@dataclass(frozen=True)
class _Own(Sparsity):
    """What a regime's own mapping may state."""

    rule: str = "dense"
    """A row of TRIPLES."""
    distribution: str | None = None
    """How much per layer, if not the row's own."""


def _resolve_module(suite: Suite, value: Any, place: str) -> ModuleRegime:
    defaults = {name: getattr(suite.sparsity, name) for name in ("level", "interval", "drop_fraction", "end")}
    given = value if isinstance(value, dict) else {"rule": value}
    own = build(_Own, {**defaults, **given}, place)
    if own.rule not in TRIPLES:
        raise UserError(f"{place}: unknown regime '{own.rule}'.{suggestion(own.rule, TRIPLES)}")
    distribution, rule, _ = TRIPLES[own.rule]
    if distribution == "dense":
        return ModuleRegime()
    wanted = {"distribution": own.distribution or distribution, "rule": rule, "sparsity": own.level}
    timing = {"interval": own.interval, "drop_fraction": own.drop_fraction, "end": own.end} if rule != "none" else {}
    return build(ModuleRegime, {**wanted, **timing}, place)
