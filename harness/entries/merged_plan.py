"""The plan that several plans make: their tasks, regimes and seeds, under a fitting name."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from harness.entries.verified import Verified
from harness.errors import NonConforming
from harness.planning.plan import Plan
from harness.planning.reader import load
from leaderboard.formats.names import OWN
from leaderboard.formats.plan import suite_digest
from leaderboard.formats.run import Run
from leaderboard.formats.shipped import shipped_plans
from leaderboard.formats.suite import SuiteReference

SAME = (
    "schema",
    "seed_source",
    "precision",
    "agent",
    "modules",
    "policy_modules",
    "settings",
    "blocks",
    "budget",
    "evaluation",
)
"""Fields in which plans must agree."""
TABLES = ("own", "regimes", "sizes", "networks", "observations")
"""Fields that are joined: a row that two plans have must be the same in both."""


def merged_plan(entries: list[Verified]) -> Plan:
    """The runs of all plans, in the order of a plan's runs. NonConforming if they differ in what
    decides numbers, or make no whole table of tasks, regimes and seeds."""
    first = entries[0]
    tables: dict[str, dict[str, object]] = {name: {} for name in TABLES}
    runs = dict[Run, None]()
    for entry in entries:
        plan = entry.plan
        different = [name for name in SAME if getattr(plan, name) != getattr(first.plan, name)]
        different += _joined(tables, plan)
        if different:
            raise NonConforming(
                f"{entry.path.parent}: differs from {first.path.parent} in"
                f" {', '.join(different)}; only runs of the same experiment are merged."
            )
        runs |= dict.fromkeys(plan.runs)

    tasks = tuple(dict.fromkeys(run.task for run in runs))
    regimes = tuple(dict.fromkeys(run.regime for run in runs))
    joined: dict[str, Any] = {"runs": _ordered(runs, tasks, regimes), **tables}
    merged = replace(first.plan, **joined)
    if merged.registered and merged.canonical() != first.plan.canonical():
        raise NonConforming(
            f"{first.path.parent}: its plan was registered as it is, and this would be another one;"
            " only parts of the same registered plan are merged."
        )
    return _called(merged, [entry.plan.suite for entry in entries])


def _ordered(
    runs: Collection[Run], tasks: tuple[str, ...], regimes: tuple[str, ...]
) -> tuple[Run, ...]:
    """Runs in the order that `make_plan` gives: task by task, seed by seed, regime by regime.
    NonConforming if a task and regime lacks a seed that another one has."""
    seeds = sorted({run.seed for run in runs})
    whole = [
        Run(task, regime, seed) for task, seed, regime in itertools.product(tasks, seeds, regimes)
    ]

    lacking = [run.name for run in whole if run not in runs]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise NonConforming(
            f"together they lack {lacking[0]}{more}; every task and regime must have the same"
            " seeds, so that means over tasks compare."
        )
    return tuple(whole)


def _called(plan: Plan, parts: Sequence[SuiteReference]) -> Plan:
    """The merged plan under its name: a shipped suite's, if it is that suite's plan; else that of
    its first part."""
    # Parts may make a shipped suite whole: then it bears its name, and its claims are judged.
    first = parts[0]
    names = [part.name.removeprefix(OWN) for part in parts]
    for name in dict.fromkeys([*names, *shipped_plans()]):
        if (whole := _as_shipped(plan, name)) is not None:
            return whole

    # What is claimed of a part is claimed of the whole, and judged on all its runs.
    changes = [change for part in parts for change in part.changes]
    changes += [
        f"merged with {part.name} version {part.version}"
        for part in parts
        if _origin(part) != _origin(first)
    ]
    claims = dict.fromkeys(claim for part in parts for claim in part.claims)
    ((name, times),) = Counter(claim.id for claim in claims).most_common(1) or [("", 0)]
    if times > 1:
        raise NonConforming(f"two of them call different tests {name}; it could not be told whose.")
    merged = replace(plan, suite=replace(first, claims=tuple(claims)))
    return merged.called(first.name, tuple(dict.fromkeys(changes)))


def _as_shipped(plan: Plan, name: str) -> Plan | None:
    """A plan as that of a shipped suite, whose tasks and regimes it may have in another order;
    None if it is another plan."""
    versions = shipped_plans().get(name, {})
    if not versions:
        return None
    resolved = load(name)
    suite = resolved.suite
    of_plan = ({run.task for run in plan.runs}, {run.regime for run in plan.runs})
    if of_plan != ({*suite.tasks}, {*suite.regimes}):
        return None
    ordered = replace(plan, runs=_ordered(plan.runs, suite.tasks, suite.regimes))
    digest = suite_digest(ordered.canonical())
    if not any(row.plan == digest for row in versions.values()):
        return None
    reference = SuiteReference(plan.suite.schema, name, suite.version, (), resolved.claims)
    return replace(ordered, suite=reference).called(name, ())


def _origin(suite: SuiteReference) -> tuple[str, int]:
    """The suite that a plan was made from, whether it bears its name or not."""
    return suite.name.removeprefix(OWN), suite.version


def _joined(tables: dict[str, dict[str, object]], plan: Plan) -> list[str]:
    """Adds the rows of a plan to the tables; returns the rows that are there and differ."""
    different = list[str]()
    for name, table in tables.items():
        for key, row in getattr(plan, name).items():
            if table.setdefault(key, row) != row:
                different.append(f"{name}.{key}")
    return different
