"""What each regime of a suite trains: the agent's settings, its blocks, and how every module is kept sparse."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from agents.catalog import settings_class
from agents.sparsity.regime import MODULES, REGIMES, TRIPLES, ModuleRegime
from harness.config import build, check_names
from harness.errors import UserError, suggestion
from harness.planning.suite import Blocks, Scale, Sparsity, Suite


def agent_settings(suite: Suite, place: str) -> Any:
    """The agent's settings with all defaults resolved, at the suite's scale."""
    return _scaled(
        build(settings_class(suite.agent), suite.settings, f"{place}: settings"), suite.scale
    )


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
    settings = build(
        settings_class(suite.agent), {**suite.settings, **parts["settings"]}, f"{where}.settings"
    )
    scale = build(Scale, {**asdict(suite.scale), **parts["scale"]}, f"{where}.scale")
    blocks = build(Blocks, {**asdict(suite.blocks), **parts["blocks"]}, f"{where}.blocks")
    match = own.get("match")
    if match is not None:
        check_names((str(match),), suite.regimes, f"{where}.match", "regime of the suite")
    return Network(_scaled(settings, scale), blocks, match)


def resolve_regime(suite: Suite, name: str, place: str) -> dict[str, ModuleRegime]:
    """The triple of each module, with the suite's sparsity defaults filled in."""
    source: dict[str, Any] = (
        suite.define[name] if name in suite.define else dict(REGIMES[name].modules)
    )
    for key in source:
        if key not in (*MODULES, *OWN_NETWORK):
            raise UserError(
                f"{place}: define.{name}.{key}: unknown key.{suggestion(key, (*MODULES, *OWN_NETWORK))}"
            )
    return {
        module: _resolve_module(
            suite, source.get(module, "dense"), f"{place}: define.{name}.{module}"
        )
        for module in MODULES
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
    wanted: dict[str, Any] = {
        "sparsity": own.level,
        "distribution": distribution,
        "parts": own.parts,
    }
    if triple.schedule != "never":
        wanted |= {"interval": own.interval, "drop_fraction": own.drop_fraction}
        wanted |= {
            name: getattr(own, name) for name in ("start", "end") if getattr(own, name) is not None
        }
    try:
        return ModuleRegime.of(own.rule, **wanted)
    except ValueError as error:
        raise UserError(f"{place}: {error}.") from None
