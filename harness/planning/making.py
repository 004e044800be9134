"""Makes the plan of a resolved suite: every size counted, every run named."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping
from dataclasses import asdict
from typing import TypeVar

from agents.spec import AgentSpec
from envs.tasks import TASKS
from harness.planning.counting import count
from harness.planning.plan import Plan
from harness.planning.regimes import ResolvedRegime, ResolvedSuite
from leaderboard.formats.network import Network, Size
from leaderboard.formats.plan import PLAN_SCHEMA, SUITE_SOURCE, Budget, Evaluation, Own
from leaderboard.formats.run import Run
from leaderboard.formats.suite import SUITE_SCHEMA, SuiteReference

T = TypeVar("T")


def make_plan(resolved: ResolvedSuite, changes: tuple[str, ...] = ()) -> Plan:
    """The plan of a suite; `changes` are the overrides it was read with."""
    suite = resolved.suite

    # Networks are counted on each task: its observations and actions shape them.
    own = dict[str, Own]()
    sizes = dict[str, Size]()
    networks = dict[str, dict[str, Network]]()
    for task, name in itertools.product(suite.tasks, suite.regimes):
        group = f"{task}/{name}"
        regime = resolved.regimes[name]
        settings = _matched(resolved, regime, task)
        sizes[group], networks[group] = count(settings, regime.modules, task, suite.action_repeat)

        # Where this network is not the suite's
        different = Own(
            _different(asdict(resolved.settings), asdict(settings)),
            _different(resolved.blocks, regime.blocks),
        )
        if different != Own({}, {}):
            own[group] = different

    # A seed of all regimes is complete before the next seed begins.
    seeds = range(suite.first_seed, suite.first_seed + suite.seeds)
    runs = itertools.product(suite.tasks, seeds, suite.regimes)
    plan = Plan(
        schema=PLAN_SCHEMA,
        suite=SuiteReference(SUITE_SCHEMA, suite.suite, suite.version, changes, resolved.claims),
        seed_source=SUITE_SOURCE,
        precision=suite.precision,
        agent=suite.agent,
        modules=resolved.settings.MODULES,
        policy_modules=resolved.settings.POLICY_MODULES,
        settings=asdict(resolved.settings),
        blocks=dict(resolved.blocks),
        own=own,
        regimes={name: dict(regime.modules) for name, regime in resolved.regimes.items()},
        sizes=sizes,
        networks=networks,
        budget=Budget(
            suite.environment_steps, suite.agent_steps, suite.action_repeat, resolved.updates
        ),
        evaluation=Evaluation(**asdict(suite.evaluation)),
        observations={task: dict(TASKS[task].observation_spec.keys) for task in suite.tasks},
        runs=tuple(Run(task, regime, seed) for task, seed, regime in runs),
    )

    return plan.called(suite.suite, changes)


def _matched(resolved: ResolvedSuite, regime: ResolvedRegime, task: str) -> AgentSpec:
    """A regime's settings on one task: the widest network with no more parameters than the regime
    it matches has active ones."""
    if regime.match is None:
        return regime.settings
    repeat = resolved.suite.action_repeat
    model = resolved.models[regime.match]
    target = count(model.settings, model.modules, task, repeat)[0].active

    def too_large(width: int) -> bool:
        narrower = regime.settings.with_width(width)
        return count(narrower, regime.modules, task, repeat)[0].active > target

    # The first width that is too large, by bisection
    widths = range(1, regime.settings.width + 1)
    width = bisect.bisect_left(widths, True, key=too_large)
    return regime.settings.with_width(max(1, width))


def _different(base: Mapping[str, T], own: Mapping[str, T]) -> dict[str, T]:
    """Entries in which `own` differs from `base`."""
    return {name: value for name, value in own.items() if value != base[name]}
