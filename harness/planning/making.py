"""Makes the plan of a resolved suite: every size counted, every run named."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping
from dataclasses import asdict
from typing import TypeVar

from agents.sparsity.counting import Size, size
from agents.sparsity.regime import Regime
from agents.spec import AgentSpec, TaskShape
from envs.tasks import TASKS
from harness.planning.plan import SCHEMA, SUITE_SCHEMA, Budget, Own, Plan, Run, SuiteReference
from harness.planning.regimes import ResolvedRegime, ResolvedSuite
from harness.planning.shapes import task_shape
from harness.seeding import SUITE_SOURCE

T = TypeVar("T")


def make_plan(resolved: ResolvedSuite, changes: tuple[str, ...] = ()) -> Plan:
    """The plan of a suite; `changes` are the overrides it was read with."""
    suite = resolved.suite
    shapes = {task: task_shape(TASKS[task], suite.action_repeat) for task in suite.tasks}

    # Networks are counted on each task: its observations and actions shape them.
    own = dict[str, Own]()
    sizes = dict[str, Size]()
    for task, name in itertools.product(suite.tasks, suite.regimes):
        regime = resolved.regimes[name]
        settings = _matched(resolved, regime, shapes[task])
        sizes[f"{task}/{name}"] = _size(settings, regime.modules, shapes[task])

        # Where this network is not the suite's
        different = Own(
            _different(asdict(resolved.settings), asdict(settings)),
            _different(resolved.blocks, regime.blocks),
        )
        if different != Own({}, {}):
            own[f"{task}/{name}"] = different

    # A seed of all regimes is complete before the next seed begins.
    seeds = range(suite.first_seed, suite.first_seed + suite.seeds)
    runs = itertools.product(suite.tasks, seeds, suite.regimes)
    return Plan(
        schema=SCHEMA,
        suite=SuiteReference(SUITE_SCHEMA, suite.suite, suite.version, changes, suite.claims),
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
        budget=Budget(
            suite.environment_steps, suite.agent_steps, suite.action_repeat, resolved.updates
        ),
        evaluation=suite.evaluation,
        observations={task: dict(TASKS[task].observation_spec.keys) for task in suite.tasks},
        runs=tuple(Run(task, regime, seed) for task, seed, regime in runs),
    )


def _matched(resolved: ResolvedSuite, regime: ResolvedRegime, task: TaskShape) -> AgentSpec:
    """A regime's settings on one task: the widest network with no more parameters than the regime
    it matches has active ones."""
    if regime.match is None:
        return regime.settings
    model = resolved.models[regime.match]
    target = _size(model.settings, model.modules, task).active

    def too_large(width: int) -> bool:
        narrower = regime.settings.with_width(width)
        return _size(narrower, regime.modules, task).active > target

    # The first width that is too large, by bisection
    widths = range(1, regime.settings.width + 1)
    width = bisect.bisect_left(widths, True, key=too_large)
    return regime.settings.with_width(max(1, width))


def _size(settings: AgentSpec, regime: Regime, task: TaskShape) -> Size:
    return size(settings.shapes(task), regime, settings.flops)


def _different(base: Mapping[str, T], own: Mapping[str, T]) -> dict[str, T]:
    """Entries in which `own` differs from `base`."""
    return {name: value for name, value in own.items() if value != base[name]}
