"""The reasons why an entry is not ranked."""

from __future__ import annotations

from collections.abc import Mapping

from envs.fingerprint import reference
from harness.machine import image
from harness.planning.plan import Plan
from leaderboard.formats.names import OWN

OWN_SUITE = "not a shipped suite"
"""What the reason of a plan of somebody's own begins with."""

UNSIGNED = "nothing is signed yet"
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
    if plan.suite.name.startswith(OWN):
        reasons.append(f"{OWN_SUITE}: {' '.join(plan.suite.changes)}")
    if not plan.registered:
        reasons.append("seeds come from the suite: the plan was not registered")

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
