"""What each regime of a suite trains: settings, blocks, and how every module is kept sparse.

A suite is resolved once, into a ResolvedSuite; the plan is made from that alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agents.catalog import AGENTS, agent_spec
from agents.members.blocks import BLOCKS, RESIDUALS
from agents.sparsity.regime import REGIMES, TRIPLES, ModuleRegime
from agents.sparsity.schedule import Move
from agents.spec import AgentSpec
from envs.tasks import TASKS
from harness.claims import check_tests, suite_tests
from harness.config import build, check_names
from harness.errors import UserError, suggestion
from harness.planning.shapes import task_shape
from harness.planning.suite import Scale, Sparsity, Suite
from leaderboard.formats.suite import ZERO, Claim
from leaderboard.statistics.references import METHODS, PUBLISHED


@dataclass(frozen=True)
class ResolvedRegime:
    """What the runs of a regime train, before a narrower network is matched to another regime."""

    settings: AgentSpec
    blocks: Mapping[str, str]
    """Block type of each module, and how residuals are built."""
    modules: Mapping[str, ModuleRegime]
    match: str | None
    """The regime whose active weights a narrower network of this one has, or None."""
    left_out: tuple[str, ...]
    """Modules that its definition names and the algorithm lacks."""


@dataclass(frozen=True)
class ResolvedSuite:
    """A suite with every default filled in."""

    suite: Suite
    location: str
    """The file it was read from: what begins each message."""
    settings: AgentSpec
    """The suite's own settings, at its scale."""
    blocks: Mapping[str, str]
    """The suite's own blocks."""
    regimes: Mapping[str, ResolvedRegime]
    """The regimes that are compared."""
    models: Mapping[str, ResolvedRegime]
    """Regimes that others match in size."""
    claims: tuple[Claim, ...]
    """The tests that its report makes, those of the registry first."""

    @property
    def updates(self) -> dict[str, int]:
        """Module -> updates of every run."""
        return self.settings.updates(self.suite.agent_steps)


def resolve(suite: Suite, location: str) -> ResolvedSuite:
    """Fills in every default; UserError for what no run of the suite could be trained with."""
    spec = agent_spec(suite.agent)
    settings = build(spec, suite.settings, f"{location}: settings")
    settings = _scaled(settings, suite.scale, f"{location}: scale")
    residuals = {key: values[0] for key, values in RESIDUALS.items()}
    blocks = _blocks({**spec.BLOCKS, **residuals}, suite.blocks, f"{location}: blocks")
    regimes = {name: _regime(suite, name, settings, blocks, location) for name in suite.regimes}

    # A matched regime follows another one, which the suite need not compare.
    matched = {regime.match for regime in regimes.values() if regime.match is not None}
    models = {
        name: regimes.get(name) or _regime(suite, name, settings, blocks, location)
        for name in sorted(matched)
    }
    claims = _claims(suite, settings.MODULES, location)
    resolved = ResolvedSuite(suite, location, settings, blocks, regimes, models, claims)

    # Checked at second 0, not after hours of training
    if not any(resolved.updates.values()):
        raise UserError(
            f"{location}: {suite.agent_steps} agent steps end before the warm-up does; nothing"
            " would be learned."
        )
    for name, regime in regimes.items():
        _check_regime(resolved, name, regime)
    return resolved


def _scaled(settings: AgentSpec, scale: Scale, location: str) -> AgentSpec:
    """Larger networks; UserError for networks that the algorithm does not allow."""
    try:
        return settings.scaled(scale.width, scale.depth)
    except ValueError as error:
        raise UserError(f"{location}: {error}.") from None


def _blocks(
    defaults: Mapping[str, str], stated: Mapping[str, str], location: str
) -> dict[str, str]:
    """Block types by module and how residuals are built, every name checked."""
    for key, name in stated.items():
        if key not in defaults:
            raise UserError(f"{location}.{key}: unknown key.{suggestion(key, defaults)}")
        known: Collection[str] = RESIDUALS.get(key, BLOCKS)
        singular = key if key in RESIDUALS else "block type"
        if name not in known:
            choices = ", ".join(known)
            raise UserError(
                f"{location}.{key}: unknown {singular} '{name}', expected one of {choices}."
            )
    return {**defaults, **stated}


OWN_PARTS = ("settings", "scale", "blocks")
"""Mappings in which a defined regime states a network of its own."""
OWN_NETWORK = (*OWN_PARTS, "match")
"""Keys of a defined regime that are no module."""


def _regime(
    suite: Suite, name: str, settings: AgentSpec, blocks: Mapping[str, str], location: str
) -> ResolvedRegime:
    """A row of REGIMES, its network the suite's where it has none of its own, or a regime that the
    suite defines."""
    if name in suite.define:
        return _defined(suite, name, blocks, f"{location}: define.{name}")
    row = REGIMES[name]
    modules, left_out = _modules(suite, row.of(settings.MODULES), f"{location}: regimes.{name}")
    own_blocks = {key: name for key, name in row.blocks.items() if key in blocks}
    return ResolvedRegime(settings, {**blocks, **own_blocks}, modules, row.match, left_out)


def _defined(suite: Suite, name: str, blocks: Mapping[str, str], location: str) -> ResolvedRegime:
    """A regime that the suite defines; `blocks`: the suite's own."""
    own = suite.define[name]
    known = (*all_modules(), *OWN_NETWORK)
    for key in own:
        if key not in known:
            raise UserError(f"{location}.{key}: unknown key.{suggestion(key, known)}")

    # Its network: what it does not state is the suite's.
    parts = {key: _mapping(own.get(key, {}), f"{location}.{key}") for key in OWN_PARTS}
    spec = agent_spec(suite.agent)
    unscaled = build(spec, {**suite.settings, **parts["settings"]}, f"{location}.settings")
    scale = build(Scale, {**asdict(suite.scale), **parts["scale"]}, f"{location}.scale")
    own_blocks = _blocks(blocks, parts["blocks"], f"{location}.blocks")
    match = None
    if own.get("match") is not None:
        match = str(own["match"])
        check_names((match,), suite.regimes, f"{location}.match", "regime of the suite")

    # Its masks: every other key is a module.
    stated = {key: value for key, value in own.items() if key not in OWN_NETWORK}
    modules, left_out = _modules(suite, stated, location)
    settings = _scaled(unscaled, scale, f"{location}.scale")
    return ResolvedRegime(settings, own_blocks, modules, match, left_out)


def _mapping(value: object, location: str) -> Mapping[str, Any]:
    """A part of a regime's network; `config.build` or `_blocks` checks what it states."""
    if not isinstance(value, dict):
        raise UserError(f"{location}: expected a mapping, found {type(value).__name__}.")
    return value


def all_modules() -> list[str]:
    """Modules of every algorithm: a suite may be run with another one than it was written for."""
    modules = dict[str, None]()
    for agent in AGENTS:
        modules |= dict.fromkeys(agent_spec(agent).MODULES)
    return list(modules)


# -- modules --


@dataclass(frozen=True)
class ModuleKeys(Sparsity):
    """What a regime's own mapping of a module may state."""

    rule: str = "dense"
    """A row of TRIPLES."""
    distribution: str | None = None
    """How much per layer, if not the row's own."""
    parts: tuple[str, ...] = ()
    """Parts of the module that are sparse, if not all: first words of its layers' names."""


def _modules(
    suite: Suite, stated: Mapping[str, object], location: str
) -> tuple[dict[str, ModuleRegime], tuple[str, ...]]:
    """The triple of each module, and the stated modules that the algorithm does not have."""
    modules = agent_spec(suite.agent).MODULES
    triples = {
        name: _module(suite, stated.get(name, "dense"), f"{location}.{name}") for name in modules
    }
    left_out = tuple(name for name in stated if name not in modules)
    return triples, left_out


def _module(suite: Suite, value: object, location: str) -> ModuleRegime:
    """A row of TRIPLES, or a mapping with numbers of its own, over the suite's defaults."""
    stated = value if isinstance(value, dict) else {"rule": value}
    own = build(ModuleKeys, {**asdict(suite.sparsity), **stated}, location)
    if own.rule not in TRIPLES:
        raise UserError(f"{location}: unknown regime '{own.rule}'.{suggestion(own.rule, TRIPLES)}")
    triple = TRIPLES[own.rule]
    if triple.distribution == "dense":
        return ModuleRegime()

    # Numbers of a schedule are stated only where there is one.
    numbers: dict[str, object] = {
        "sparsity": own.level,
        "distribution": own.distribution or triple.distribution,
        "parts": own.parts,
    }
    if triple.schedule != "never":
        numbers["interval"] = own.interval
        numbers["drop_fraction"] = own.drop_fraction
        numbers["regrown"] = own.regrown
        if own.start is not None:
            numbers["start"] = own.start
        if own.end is not None:
            numbers["end"] = own.end

    # Limits of the numbers are the triple's own.
    try:
        return ModuleRegime.of(own.rule, **numbers)
    except ValueError as error:
        raise UserError(f"{location}: {error}.") from None


# -- checks --


def _check_regime(resolved: ResolvedSuite, name: str, regime: ResolvedRegime) -> None:
    """Equal work in every regime, masks that change when they may, and parts that exist."""
    suite = resolved.suite
    location = resolved.location
    if regime.settings.updates(suite.agent_steps) != resolved.updates:
        raise UserError(
            f"{location}: define.{name}.settings: changes how often networks learn; regimes must do"
            " equal work."
        )

    # Layers have the same names on every task, so one task shows whether the parts exist.
    shapes = regime.settings.shapes(task_shape(TASKS[suite.tasks[0]], suite.action_repeat))
    for module, triple in regime.modules.items():
        here = f"{location}: regimes.{name}.{module}"
        multiple = resolved.settings.rewire_multiple
        _check_schedule(here, triple, resolved.updates[module], multiple)
        try:
            triple.counts(shapes[module][0])
        except ValueError as error:
            raise UserError(f"{here}: {error}.") from None


def _check_schedule(location: str, triple: ModuleRegime, updates: int, multiple: int) -> None:
    """UserError if the interval does not suit the algorithm, or a gradual schedule never moves."""
    if triple.schedule == "never":
        return
    if triple.interval % multiple:
        raise UserError(
            f"{location}: interval {triple.interval} is not a multiple of {multiple}, after which"
            " this agent copies its targets; masks change just before."
        )

    # A gradual schedule needs an interval that ends inside its window.
    times = triple.times(updates)
    if isinstance(times, Move) and times.last <= times.start:
        raise UserError(
            f"{location}: no update between {times.start} and {times.end} is a multiple of interval"
            f" {triple.interval}; the module would never {triple.schedule}. Make the run longer or"
            " the interval shorter."
        )


def _claims(suite: Suite, modules: tuple[str, ...], location: str) -> tuple[Claim, ...]:
    """The tests of a suite: those of its claims in the registry, and its own.

    UserError for a claim that is unknown or cannot be tested, and for an own test about what the
    suite does not train."""
    comparable = (*suite.regimes, *METHODS, ZERO)
    try:
        registered = suite_tests(suite.suite, suite.claims, comparable, modules)
    except UserError as error:
        raise UserError(f"{location}: {error}") from None

    check_tests(suite.tests, suite.regimes, comparable, modules, f"{location}: tests")
    for test in suite.tests:
        if test.than in METHODS and (test.paired or test.figure not in PUBLISHED):
            known = f"of {test.than} only {' and '.join(PUBLISHED)} are published"
            raise UserError(f"{location}: tests: {test.id}: {known}, without seeds to pair.")
    return (*registered, *suite.tests)
