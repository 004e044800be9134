"""Shortens a suite to a share of its budget, with learning and rewiring still in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

from agents.spec import AgentSpec
from harness.planning.regimes import OWN_NETWORK, ResolvedSuite, resolve

FEWEST = 10
"""Target cycles and rewire intervals that a shortened run has, if it has as many steps."""


def shortened(resolved: ResolvedSuite, share: float) -> ResolvedSuite:
    """The suite with a share of its budget.

    The warm-up shrinks with the budget. Target cycles and rewire intervals shrink only as far as to
    keep FEWEST of each, the time between evaluations only as far as to keep two.
    """
    suite = resolved.suite
    steps = max(1, int(suite.agent_steps * share))
    settings = resolved.settings.shortened(steps, share, FEWEST)

    # Intervals are whole target cycles: the longest that a run has FEWEST of.
    cycle = settings.rewire_multiple
    longest = max(1, (steps - settings.learning_starts) // FEWEST // cycle) * cycle
    interval = min(suite.sparsity.interval, longest)
    define = {name: _faster_modules(own, longest) for name, own in suite.define.items()}

    every = min(suite.evaluation.every, max(1, steps // 2))
    shorter = replace(
        suite,
        environment_steps=steps * suite.action_repeat,
        settings={**suite.settings, **_changed(resolved.settings, settings)},
        sparsity=replace(suite.sparsity, interval=interval),
        evaluation=replace(suite.evaluation, every=every),
        define=define,
    )
    return resolve(shorter, resolved.location)


def _changed(before: AgentSpec, after: AgentSpec) -> dict[str, object]:
    """Settings in which `after` differs."""
    old = asdict(before)
    return {name: value for name, value in asdict(after).items() if value != old[name]}


def _faster_modules(own: Mapping[str, object], longest: int) -> dict[str, object]:
    """A defined regime whose modules rewire at least every `longest` updates."""
    faster = dict(own)
    for name, module in own.items():
        # Modules with no mapping of their own take the suite's interval.
        if name not in OWN_NETWORK and isinstance(module, dict) and "interval" in module:
            faster[name] = {**module, "interval": min(module["interval"], longest)}
    return faster
