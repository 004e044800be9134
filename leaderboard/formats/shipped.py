"""Which plans may bear the name of a shipped suite.

plans.json is written by `make tables`. A plan that is not in it is somebody's own suite, and its
name begins with `own-`: budgets, seeds and settings cannot be changed under a shipped name.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from importlib import resources

import rfc8785

from leaderboard.formats.document import convert, parse_json
from leaderboard.formats.names import OWN
from leaderboard.formats.suite import Claim, SuiteReference


@dataclass(frozen=True)
class ShippedPlan:
    """One version of a shipped suite."""

    plan: str
    """Digest of its plan (plan.py: suite_digest)."""
    claims: str
    """Digest of what it claims."""


@functools.cache
def shipped_plans() -> dict[str, dict[str, ShippedPlan]]:
    """Suite -> version -> plan."""
    content = resources.files("leaderboard.formats").joinpath("plans.json").read_bytes()
    document = parse_json(content, "plans.json")
    plans: dict[str, dict[str, ShippedPlan]] = convert(
        dict[str, dict[str, ShippedPlan]], document, "plans.json"
    )
    return plans


def claims_digest(claims: Iterable[Claim]) -> str:
    """sha256 of the claims of a suite."""
    return hashlib.sha256(rfc8785.dumps([asdict(claim) for claim in claims])).hexdigest()


def named(suite: SuiteReference, plan_digest: str) -> SuiteReference:
    """The suite under the name that its plan may bear."""
    if _is_shipped(suite, plan_digest):
        return replace(suite, changes=())
    name = suite.name if suite.name.startswith(OWN) else f"{OWN}{suite.name}"
    return replace(suite, name=name)


def check_named(suite: SuiteReference, plan_digest: str) -> None:
    """ValueError if a plan bears the name of a suite that it is not."""
    if suite.name.startswith(OWN):
        return
    if suite.name not in shipped_plans():
        raise ValueError(
            f"this version ships no suite {suite.name}; the name of another begins with {OWN}"
        )
    if str(suite.version) not in shipped_plans()[suite.name]:
        raise ValueError(f"this version does not know version {suite.version} of {suite.name}")
    if suite.changes or not _is_shipped(suite, plan_digest):
        raise ValueError(
            f"calls itself {suite.name} version {suite.version}, which has another plan, other"
            f" claims and no changes; the name of another suite begins with {OWN}"
        )


def _is_shipped(suite: SuiteReference, plan_digest: str) -> bool:
    """Whether plan and claims are those of the shipped suite of this name and version."""
    row = shipped_plans().get(suite.name, {}).get(str(suite.version))
    return row == ShippedPlan(plan_digest, claims_digest(suite.claims))
