"""A suite with a share of its budget."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from agents.sparsity.regime import MODULES
from harness.planning.regimes import agent_settings
from harness.planning.suite import Sparsity, Suite

FEWEST = 10
"""Target cycles and rewire intervals that a shortened run has, if it has as many steps."""


def shortened(suite: Suite, share: float) -> Suite:
    """The suite with a share of its budget. The warm-up shrinks with it; the time between evaluations, the target cycle and
    rewire intervals only as far as to keep two, and FEWEST of each."""
    steps = max(1, int(suite.agent_steps * share))
    settings = agent_settings(suite, suite.suite)
    warmup = max(2 * settings.horizon, min(settings.warmup, int(settings.warmup * share)))
    cycle = min(settings.target_cycle, max(1, (steps - warmup) // FEWEST))
    most = max(1, (steps - warmup) // FEWEST // cycle) * cycle

    def faster(source: dict[str, Any]) -> dict[str, Any]:
        return (
            {**source, "interval": min(source["interval"], most)}
            if "interval" in source
            else source
        )

    define = {
        name: {
            key: faster(value) if key in MODULES and isinstance(value, dict) else value
            for key, value in own.items()
        }
        for name, own in suite.define.items()
    }
    return replace(
        suite,
        environment_steps=steps * suite.action_repeat,
        settings={**suite.settings, "warmup": warmup, "target_cycle": cycle},
        sparsity=Sparsity(**faster(asdict(suite.sparsity))),
        evaluation=replace(suite.evaluation, every=min(suite.evaluation.every, max(1, steps // 2))),
        define=define,
    )
