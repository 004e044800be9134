"""Reads a suite, shipped or from a file: strictly, and once for everything made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agents.catalog import AGENTS
from agents.sparsity.regime import REGIMES
from envs.tasks import TASKS
from harness.config import LARGEST, apply_overrides, blaming, build, check_names, read_yaml
from harness.errors import UserError, suggestion
from harness.planning.regimes import ResolvedSuite, resolve
from harness.planning.suite import Suite
from harness.suites import shipped
from leaderboard.formats.document import shown

RUNS = 100_000
"""The most runs of a plan; the largest shipped suite has some hundred."""


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


def _check(suite: Suite, location: str) -> None:
    """The suite names what exists, and counts what is possible."""
    check_names(suite.regimes, (*REGIMES, *suite.define), f"{location}: regimes", "regime")
    check_names((suite.agent,), AGENTS, f"{location}: agent", "agent")
    if suite.seeds < 1:
        raise UserError(f"{location}: seeds is {suite.seeds}, expected at least 1.")
    if not 0 <= suite.first_seed < LARGEST - suite.seeds:
        raise UserError(f"{location}: first_seed is {suite.first_seed}, expected 0 to 2**53.")
    runs = len(suite.tasks) * len(suite.regimes) * suite.seeds
    if runs > RUNS:
        raise UserError(
            f"{location}: seeds is {suite.seeds:,}, which makes {runs:,} runs; a plan has"
            f" {RUNS:,} at most."
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
