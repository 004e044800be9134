"""A suite with a share of its budget."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from agents.spec import AgentSpec
from harness.planning.regimes import OWN_NETWORK, ResolvedSuite, resolve
from harness.planning.suite import Sparsity

FEWEST = 10
"""Target cycles and rewire intervals that a shortened run has, if it has as many steps."""


def shortened(resolved: ResolvedSuite, share: float) -> ResolvedSuite:
    """The suite with a share of its budget.

    The warm-up shrinks with it; target cycles and rewire intervals only as far as to keep FEWEST of
    each, the time between evaluations as far as to keep two.
    """
    suite = resolved.suite
    steps = max(1, int(suite.agent_steps * share))
    settings = resolved.settings.shortened(steps, share, FEWEST)

    # The longest interval of whole target cycles that a run has FEWEST of
    cycle = settings.rewire_multiple
    longest = max(1, (steps - settings.learning_starts) // FEWEST // cycle) * cycle
    define = {name: _faster_modules(own, longest) for name, own in suite.define.items()}
    every = min(suite.evaluation.every, max(1, steps // 2))
    shorter = replace(
        suite,
        environment_steps=steps * suite.action_repeat,
        settings={**suite.settings, **_changed(resolved.settings, settings)},
        sparsity=Sparsity(**_faster(asdict(suite.sparsity), longest)),
        evaluation=replace(suite.evaluation, every=every),
        define=define,
    )
    return resolve(shorter, resolved.place)


def _changed(before: AgentSpec, after: AgentSpec) -> dict[str, Any]:
    """Settings in which `after` differs."""
    old = asdict(before)
    return {name: value for name, value in asdict(after).items() if value != old[name]}


def _faster_modules(own: dict[str, Any], longest: int) -> dict[str, Any]:
    """A defined regime whose modules rewire at least as often."""
    modules = {
        name: _faster(value, longest)
        for name, value in own.items()
        if name not in OWN_NETWORK and isinstance(value, dict)
    }
    return {**own, **modules}


def _faster(numbers: dict[str, Any], longest: int) -> dict[str, Any]:
    if "interval" not in numbers:
        return numbers
    return {**numbers, "interval": min(numbers["interval"], longest)}
