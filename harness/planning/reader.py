"""Reads a suite, shipped or from a file: strictly, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.catalog import AGENTS, shapes
from agents.sparsity.regime import REGIMES, ModuleRegime
from agents.sparsity.schedule import Move
from envs.tasks import TASKS
from harness.config import apply_overrides, build, check_names, read_yaml
from harness.errors import UserError, suggestion
from harness.planning.regimes import agent_settings, network, resolve_regime
from harness.planning.suite import Suite
from harness.suites import shipped
from leaderboard.statistics.references import METHODS


def load(name: str, overrides: tuple[str, ...] = ()) -> Suite:
    """The suite of a shipped name, or in a file named with a path; UserError says what is wrong and where."""
    path = _find(name)
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise UserError(
            f"{path}: expected a mapping that begins with 'suite:', found {type(document).__name__}."
        )
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
    raise UserError(
        f"--suite {name}: unknown suite.{suggestion(name, known)} A file is named by its path, as ./my.yaml."
    )


def checked(suite: Suite, place: str) -> Suite:
    """The suite, if names and limits that concern more than one field are right."""
    check_names(suite.tasks, TASKS, f"{place}: tasks", "task")
    check_names(suite.regimes, (*REGIMES, *suite.define), f"{place}: regimes", "regime")
    check_names((suite.agent,), AGENTS, f"{place}: agent", "agent")
    if suite.seeds < 1 or suite.first_seed < 0:
        raise UserError(
            f"{place}: seeds is {suite.seeds} and first_seed {suite.first_seed}, expected at least 1 and 0."
        )
    if suite.action_repeat < 1 or any(
        TASKS[task].horizon % suite.action_repeat for task in suite.tasks
    ):
        raise UserError(
            f"{place}: action_repeat is {suite.action_repeat}, expected a divisor of every task's episode length."
        )
    if suite.environment_steps < 1 or suite.environment_steps % suite.action_repeat:
        raise UserError(
            f"{place}: environment_steps is {suite.environment_steps}, expected a positive multiple of action_repeat."
        )
    settings = agent_settings(suite, place)
    updates = settings.updates(suite.agent_steps)
    if updates["critic"] < 1:
        raise UserError(
            f"{place}: {suite.agent_steps} agent steps end before the warm-up does; nothing would be learned."
        )
    for name in suite.regimes:
        own = network(suite, name, place)
        if own.settings.updates(suite.agent_steps) != updates:
            raise UserError(
                f"{place}: define.{name}.settings: changes how often networks learn; regimes must do equal work."
            )
        layers = {
            module: linears for module, (linears, _) in _any_shapes(suite, own.settings).items()
        }
        for module, part in resolve_regime(suite, name, place).items():
            _check_times(
                f"{place}: regimes.{name}.{module}", part, updates[module], settings.target_cycle
            )
            try:
                part.counts(layers[module])
            except ValueError as error:
                raise UserError(f"{place}: regimes.{name}.{module}: {error}.") from None
    for claim in suite.claims:
        check_names((claim.regime,), suite.regimes, f"{place}: claims", "regime of the suite")
        check_names(
            (claim.than,),
            (*suite.regimes, *METHODS),
            f"{place}: claims",
            "regime of the suite or reference method",
        )
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
