"""A suite: a YAML file that states tasks x regimes x seeds, agent settings, budget and evaluation. Read strictly, once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from agents.blocks import BLOCKS
from agents.catalog import AGENTS, settings_class, shapes
from agents.sparsity.regime import MODULES, REGIMES, TRIPLES, ModuleRegime
from agents.sparsity.schedule import Move
from envs.tasks import TASKS
from harness.config import apply_overrides, build, read_yaml
from harness.errors import UserError, suggestion
from harness.suites import shipped
from leaderboard.references import METHODS


@dataclass(frozen=True)
class Sparsity:
    """What every sparse module of the suite uses unless its regime says otherwise."""

    level: float = 0.6
    """Share of a sparse module's Linear weights that is zero (arXiv 2510.12096 uses 0.6)."""
    interval: int = 1000
    """Updates of a module between its rewires."""
    drop_fraction: float = 0.3
    """Share of active weights exchanged at the start of the cosine."""
    start: float | None = None
    """Share of the run before the first change; None: as the rule's row of TRIPLES says."""
    end: float | None = None
    """Share of the run after which masks stay; None: as the rule's row says."""


@dataclass(frozen=True)
class Blocks:
    """Block type of each module, and how residuals are built where a type has them."""

    encoder: str = "T6"
    critic: str = "T6"
    actor: str = "T5"
    residual: Literal["pre", "post"] = "pre"
    """pre: y = x + act(LN(W x + b)); post: y = act(LN(W x + b + x)). The paper found pre better; its formulas are unknown."""

    def __post_init__(self) -> None:
        for module in MODULES:
            if getattr(self, module) not in BLOCKS:
                raise ValueError(f"{module}: unknown block type '{getattr(self, module)}', expected one of {', '.join(BLOCKS)}")


@dataclass(frozen=True)
class Scale:
    """How much larger than the agent's settings the networks are."""

    width: int = 1
    """Factor of every hidden layer's and embedding's width."""
    depth: int = 1
    """Factor of the number of hidden layers of each MLP."""
    za: Literal["half", "full"] = "half"
    """The action embedding: scaled like the others, or as wide as a hidden layer."""

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")


@dataclass(frozen=True)
class Claim:
    """What a study tests. Its verdict is worked out in the report (leaderboard/claims.py)."""

    claim: str
    """In words, with its source."""
    regime: str
    """The regime that the claim is about."""
    than: str
    """The regime it is compared with, or a method of the reference rows."""
    relation: Literal["above", "below", "agrees"] = "above"
    """What is claimed of the regime's figure; `agrees`: with a published mean, by a narrow interval that holds it."""
    figure: str = "score"
    """`score`, `last` (the last scheduled evaluation's mean return), `spread` (standard deviation of the score over seeds), or
    MODULE.DIAGNOSTIC at the last evaluation."""

    def __post_init__(self) -> None:
        if self.figure not in ("score", "last", "spread") and self.figure.partition(".")[0] not in MODULES:
            raise ValueError(f"figure: unknown figure '{self.figure}', expected score, last, spread or MODULE.DIAGNOSTIC")


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
    """Seeds of each task and regime."""
    first_seed: int = 0
    """Seed indices are first_seed .. first_seed + seeds - 1."""
    environment_steps: int = 1_000_000
    """Budget of one run: steps of the simulator."""
    action_repeat: int = 2
    """Environment steps of one agent step."""
    device: Literal["any", "cuda"] = "any"
    """What the suite needs; `--device` overrides."""
    agent: str = "mrq"
    """Algorithm."""
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    """Of matrix products: float32 is the reference; tf32 needs CUDA. Everything else is float32."""
    blocks: Blocks = field(default_factory=Blocks)
    """Block types."""
    sparsity: Sparsity = field(default_factory=Sparsity)
    """Defaults of sparse modules."""
    scale: Scale = field(default_factory=Scale)
    """Size of the networks, as factors of the settings."""
    evaluation: Evaluation = field(default_factory=Evaluation)
    """Evaluation protocol."""
    claims: tuple[Claim, ...] = ()
    """What the suite tests, for a study."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The agent's settings that differ from its defaults."""
    define: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Own regimes: name -> {encoder, critic, actor: a row of TRIPLES, or a mapping with rule, level, interval .., and for a
    network of its own: blocks, scale, settings, or match: the regime whose active weights a narrower network has}."""

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
    return checked(build(Suite, apply_overrides(document, overrides), place), place)


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


def checked(suite: Suite, place: str) -> Suite:
    """The suite, if names and limits that concern more than one field are right."""
    _names(suite.tasks, TASKS, f"{place}: tasks", "task")
    _names(suite.regimes, (*REGIMES, *suite.define), f"{place}: regimes", "regime")
    _names((suite.agent,), AGENTS, f"{place}: agent", "agent")
    if suite.seeds < 1 or suite.first_seed < 0:
        raise UserError(f"{place}: seeds is {suite.seeds} and first_seed {suite.first_seed}, expected at least 1 and 0.")
    if suite.action_repeat < 1 or any(TASKS[task].horizon % suite.action_repeat for task in suite.tasks):
        raise UserError(f"{place}: action_repeat is {suite.action_repeat}, expected a divisor of every task's episode length.")
    if suite.environment_steps < 1 or suite.environment_steps % suite.action_repeat:
        raise UserError(
            f"{place}: environment_steps is {suite.environment_steps}, expected a positive multiple of action_repeat."
        )
    settings = agent_settings(suite, place)
    updates = settings.updates(suite.agent_steps)
    if updates["critic"] < 1:
        raise UserError(f"{place}: {suite.agent_steps} agent steps end before the warm-up does; nothing would be learned.")
    for name in suite.regimes:
        own = network(suite, name, place)
        if own.settings.updates(suite.agent_steps) != updates:
            raise UserError(f"{place}: define.{name}.settings: changes how often networks learn; regimes must do equal work.")
        layers = {module: linears for module, (linears, _) in _any_shapes(suite, own.settings).items()}
        for module, part in resolve_regime(suite, name, place).items():
            _check_times(f"{place}: regimes.{name}.{module}", part, updates[module], settings.target_cycle)
            try:
                part.counts(layers[module])
            except ValueError as error:
                raise UserError(f"{place}: regimes.{name}.{module}: {error}.") from None
    for claim in suite.claims:
        _names((claim.regime,), suite.regimes, f"{place}: claims", "regime of the suite")
        _names((claim.than,), (*suite.regimes, *METHODS), f"{place}: claims", "regime of the suite or reference method")
    return suite


def _check_times(place: str, part: ModuleRegime, updates: int, target_cycle: int) -> None:
    """Masks change just before targets are copied, and what is to become sparse or dense gets there."""
    if part.schedule == "never":
        return
    if part.interval % target_cycle:
        raise UserError(
            f"{place}: interval {part.interval} is not a multiple of target_cycle {target_cycle}; masks change just before"
            " targets are copied."
        )
    times = part.times(updates)
    if isinstance(times, Move) and times.last <= times.start:
        raise UserError(
            f"{place}: no update between {times.start} and {times.end} is a multiple of interval {part.interval}; the module"
            f" would never {part.schedule}. Make the run longer or the interval shorter."
        )


def _any_shapes(suite: Suite, settings: Any) -> Any:
    """Shapes of the networks on the suite's first task: the names of the layers are those of every task."""
    task = TASKS[suite.tasks[0]]
    return shapes(suite.agent).module_shapes(settings, task.observation_size, task.action)


def _names(names: tuple[str, ...], known: Any, place: str, what: str) -> None:
    if not names:
        raise UserError(f"{place}: expected at least one {what}.")
    for name in names:
        if name not in known:
            raise UserError(f"{place}: unknown {what} '{name}'.{suggestion(name, known)}")
    if len(set(names)) != len(names):
        raise UserError(f"{place}: a {what} is named twice.")


def agent_settings(suite: Suite, place: str) -> Any:
    """The agent's settings with all defaults resolved, at the suite's scale."""
    return _scaled(build(settings_class(suite.agent), suite.settings, f"{place}: settings"), suite.scale)


def _scaled(settings: Any, scale: Scale) -> Any:
    return settings.scaled(scale.width, scale.depth, scale.za)


@dataclass(frozen=True)
class Network:
    """What a regime's runs train, before it is narrowed to match another one."""

    settings: Any
    blocks: Blocks
    match: str | None


def network(suite: Suite, name: str, place: str) -> Network:
    """A regime's agent settings and blocks: the suite's own, unless it is defined with others."""
    own = suite.define.get(name)
    if own is None:
        return Network(agent_settings(suite, place), suite.blocks, REGIMES[name].match)
    where = f"{place}: define.{name}"
    parts = {key: own.get(key, {}) for key in ("settings", "scale", "blocks")}
    for key, value in parts.items():
        if not isinstance(value, dict):
            raise UserError(f"{where}.{key}: expected a mapping, found {type(value).__name__}.")
    settings = build(settings_class(suite.agent), {**suite.settings, **parts["settings"]}, f"{where}.settings")
    scale = build(Scale, {**asdict(suite.scale), **parts["scale"]}, f"{where}.scale")
    blocks = build(Blocks, {**asdict(suite.blocks), **parts["blocks"]}, f"{where}.blocks")
    match = own.get("match")
    if match is not None:
        _names((str(match),), suite.regimes, f"{where}.match", "regime of the suite")
    return Network(_scaled(settings, scale), blocks, match)


def resolve_regime(suite: Suite, name: str, place: str) -> dict[str, ModuleRegime]:
    """The triple of each module, with the suite's sparsity defaults filled in."""
    source: dict[str, Any] = suite.define[name] if name in suite.define else dict(REGIMES[name].modules)
    for key in source:
        if key not in (*MODULES, *OWN_NETWORK):
            raise UserError(f"{place}: define.{name}.{key}: unknown key.{suggestion(key, (*MODULES, *OWN_NETWORK))}")
    return {
        module: _resolve_module(suite, source.get(module, "dense"), f"{place}: define.{name}.{module}") for module in MODULES
    }


OWN_NETWORK = ("settings", "scale", "blocks", "match")
"""Keys of a defined regime that are no module."""


@dataclass(frozen=True)
class _Own(Sparsity):
    """What a regime's own mapping may state."""

    rule: str = "dense"
    """A row of TRIPLES."""
    distribution: str | None = None
    """How much per layer, if not the row's own."""
    parts: tuple[str, ...] = ()
    """Parts of the module that are sparse, if not all: of the encoder zs, za, zsa, model."""


def _resolve_module(suite: Suite, value: Any, place: str) -> ModuleRegime:
    given = value if isinstance(value, dict) else {"rule": value}
    own = build(_Own, {**asdict(suite.sparsity), **given}, place)
    if own.rule not in TRIPLES:
        raise UserError(f"{place}: unknown regime '{own.rule}'.{suggestion(own.rule, TRIPLES)}")
    triple = TRIPLES[own.rule]
    if triple.distribution == "dense":
        return ModuleRegime()
    distribution = own.distribution or triple.distribution
    wanted: dict[str, Any] = {"sparsity": own.level, "distribution": distribution, "parts": own.parts}
    if triple.schedule != "never":
        wanted |= {"interval": own.interval, "drop_fraction": own.drop_fraction}
        wanted |= {name: getattr(own, name) for name in ("start", "end") if getattr(own, name) is not None}
    try:
        return ModuleRegime.of(own.rule, **wanted)
    except ValueError as error:
        raise UserError(f"{place}: {error}.") from None


FEWEST = 10
"""Target cycles and rewire intervals that a shortened run has, if it has as many steps."""


def shortened(suite: Suite, share: float) -> Suite:
    """The suite with a share of its budget. The warm-up shrinks with it; the time between evaluations, the target cycle and
    rewire intervals only as far as to keep two, and FEWEST of each."""
    steps = max(1, int(suite.agent_steps * share))
    settings = agent_settings(suite, suite.suite)
    warmup = max(2 * settings.horizon, min(settings.warmup, int(settings.warmup * share)))
    cycle = min(settings.target_cycle, max(1, (steps - warmup) // FEWEST))
    most = max(1, (steps - warmup) // FEWEST // cycle) * cycle

    def faster(source: dict[str, Any]) -> dict[str, Any]:
        return {**source, "interval": min(source["interval"], most)} if "interval" in source else source

    define = {
        name: {key: faster(value) if key in MODULES and isinstance(value, dict) else value for key, value in own.items()}
        for name, own in suite.define.items()
    }
    return replace(
        suite,
        environment_steps=steps * suite.action_repeat,
        settings={**suite.settings, "warmup": warmup, "target_cycle": cycle},
        sparsity=Sparsity(**faster(asdict(suite.sparsity))),
        evaluation=replace(suite.evaluation, every=min(suite.evaluation.every, max(1, steps // 2))),
        define=define,
    )
