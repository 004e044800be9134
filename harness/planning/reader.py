"""Reads a suite, shipped or from a file: strictly, and once for everything made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agents.catalog import AGENTS
from agents.sparsity.regime import REGIMES
from envs.tasks import TASKS
from harness.config import apply_overrides, blaming, build, check_names, read_yaml
from harness.errors import UserError, suggestion
from harness.planning.regimes import ResolvedSuite, resolve
from harness.planning.suite import Suite
from harness.suites import shipped
from leaderboard.formats.document import shown
from leaderboard.formats.names import check_name
from leaderboard.formats.plan import MOST_RUNS, MOST_STATED
from leaderboard.formats.suite import ZERO
from leaderboard.statistics.references import METHODS

LONGEST_SUITE = 60
"""Most letters of a suite's name."""
LARGEST_SEED = 2**31
"""Seeds of runs are smaller."""


def load(name: str, overrides: tuple[str, ...] = ()) -> ResolvedSuite:
    """The suite of a shipped name, or in a file named with a path.

    Raises UserError: what is wrong, and where.
    """
    path = _path(name)
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise UserError(
            f"{path}: expected a mapping that begins with 'suite:', found {shown(document)}."
        )
    document = apply_overrides(document, overrides)
    with blaming(overrides, path.name):
        suite = build(Suite, document, path.name)
        check_names(suite.tasks, TASKS, f"{path.name}: tasks", "task")
        if "action_repeat" not in document:
            suite = replace(suite, action_repeat=_repeat_of(suite.tasks, path.name))
        _check(suite, path.name)
        return resolve(suite, path.name)


def _repeat_of(tasks: tuple[str, ...], location: str) -> int:
    """The action repeat that all tasks have; UserError if they differ."""
    repeats = {TASKS[task].action_repeat for task in tasks}
    if len(repeats) > 1:
        raise UserError(
            f"{location}: its tasks repeat actions {', '.join(map(str, sorted(repeats)))} times;"
            " state action_repeat, or one suite for each."
        )
    return repeats.pop()


def _path(name: str) -> Path:
    """A suite's file: a shipped name comes first, then whatever is written as a path."""
    known = shipped()
    if name in known:
        return known[name]

    # A bare word that is not shipped is a misspelt name, not a missing file.
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or "/" in name:
        if not path.is_file():
            raise UserError(f"--suite {name}: no such file.")
        return path
    raise UserError(
        f"--suite {name}: unknown suite.{suggestion(name, known)} A file is named by its path, as"
        " ./my.yaml."
    )


def _check_own_names(suite: Suite, location: str) -> None:
    """The names that a suite gives become folders and titles; those of shipped regimes are taken.

    UserError names the first that does not do."""
    named = [("suite", suite.suite), *[("define", name) for name in suite.define]]
    for key, name in named:
        try:
            check_name(name, "name")
        except ValueError as error:
            raise UserError(f"{location}: {key}: {error}.") from None

    # A plan that is not the shipped suite's is called `own-` and this name.
    if len(suite.suite) > LONGEST_SUITE:
        raise UserError(f"{location}: suite: expected a name of at most {LONGEST_SUITE} letters.")
    owners = {
        **dict.fromkeys(REGIMES, "a shipped regime"),
        **dict.fromkeys(METHODS, "a published method"),
        ZERO: "the level that claims compare with",
    }
    for name in suite.define:
        if name in owners:
            raise UserError(
                f"{location}: define.{name}: is the name of {owners[name]}; give yours another."
            )


def _check(suite: Suite, location: str) -> None:
    """The suite names what exists, counts what is possible, and its own names make folders."""
    _check_own_names(suite, location)
    check_names(suite.regimes, (*REGIMES, *suite.define), f"{location}: regimes", "regime")
    check_names((suite.agent,), AGENTS, f"{location}: agent", "agent")
    if suite.seeds < 1:
        raise UserError(f"{location}: seeds is {suite.seeds}, expected at least 1.")
    if not 0 <= suite.first_seed <= LARGEST_SEED - suite.seeds:
        raise UserError(
            f"{location}: first_seed is {suite.first_seed}, expected at least 0, and every seed"
            " below 2**31."
        )
    runs = len(suite.tasks) * len(suite.regimes) * suite.seeds
    if runs > MOST_RUNS:
        raise UserError(
            f"{location}: seeds is {suite.seeds:,}, which makes {runs:,} runs; a plan has"
            f" {MOST_RUNS:,} at most."
        )
    for name, count in suite.evaluation.stated.items():
        if count * runs > MOST_STATED:
            raise UserError(
                f"{location}: evaluation.{name} is {count:,}; with {runs:,} runs expected at most"
                f" {MOST_STATED // runs:,}."
            )

    # Every episode and the budget are whole numbers of agent steps.
    repeat = suite.action_repeat
    if repeat < 1 or any(TASKS[task].horizon % repeat for task in suite.tasks):
        raise UserError(
            f"{location}: action_repeat is {repeat}, expected a divisor of every task's episode"
            " length."
        )
    if suite.environment_steps < 1 or suite.environment_steps % repeat:
        raise UserError(
            f"{location}: environment_steps is {suite.environment_steps}, expected a positive"
            " multiple of action_repeat."
        )
