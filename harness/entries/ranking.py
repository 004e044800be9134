"""The reasons why an entry is not ranked."""

from __future__ import annotations

from collections.abc import Mapping

from envs.fingerprint import reference
from harness.machine import image
from harness.planning.plan import Plan
from harness.seeding import SUITE_SOURCE

DRIFTED = "code or libraries changed during a run (--allow-drift)"


def unranked_because(
    plan: Plan, drifted: bool = False, simulated: Mapping[str, str] | None = None
) -> list[str]:
    """Reasons why an entry of this plan from this machine cannot be ranked; none if it can.

    `drifted`: whether code or libraries changed during a run. `simulated`: fingerprints by task.
    """
    reasons = list[str]()
    if drifted:
        reasons.append(DRIFTED)

    # The plan
    if plan.suite.changes:
        reasons.append(f"the suite was changed: {' '.join(plan.suite.changes)}")
    if plan.seed_source == SUITE_SOURCE:
        reasons.append("seeds come from the suite, not from the log")

    # The machine
    reasons += [
        f"{task} is simulated with other bits than recorded" for task in other_bits(simulated or {})
    ]
    if image.content() is None:
        reasons.append("environment: not the reference image")
    return reasons


def other_bits(simulated: Mapping[str, str]) -> list[str]:
    """Tasks whose fingerprint is not the one recorded for this instruction set."""
    return [
        task
        for task, fingerprint in simulated.items()
        if reference(task) not in (None, fingerprint)
    ]
