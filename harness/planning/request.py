"""What `run` and `plan` are asked for, and the plan that it makes.

It loads no torch: whoever registers a plan does not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UserError
from harness.options import Options
from harness.planning.making import make_plan
from harness.planning.plan import Plan
from harness.planning.reader import load
from harness.planning.shorten import shortened
from harness.planning.suite import Suite
from harness.suites import shipped
from harness.words import say


@dataclass(frozen=True)
class Request:
    """What `run` is asked for."""

    suite: str
    out: Path
    overrides: tuple[str, ...] = ()
    budget_scale: float = 1.0
    executor: str = "local"
    members: int | None = None
    options: Options = field(default_factory=Options)
    own: Mapping[str, object] = field(default_factory=dict)
    """The executor's own options: field -> value."""
    log: str | None = None
    """The tracker that curves are given to while runs learn."""


def plan_of(request: Request) -> tuple[Suite, Plan]:
    """The suite and its plan, with overrides and budget scale applied and recorded as changes."""
    resolved = load(request.suite, request.overrides)
    changes = [f"--set {override}" for override in request.overrides]
    if request.suite not in shipped():
        changes.append("own suite file")
    if request.budget_scale != 1.0:
        resolved = shortened(resolved, request.budget_scale)
        changes.append(f"--budget-scale {request.budget_scale:g}")

    # A suite may be run with another algorithm than it was written for.
    for name, regime in resolved.regimes.items():
        if regime.left_out:
            modules = ", ".join(regime.left_out)
            say(
                f"regime {name}: agent {resolved.suite.agent} has no {modules}; what the suite"
                " says of it is left out"
            )

    # RFC 8785 holds no number beyond 2**53.
    plan = make_plan(resolved, tuple(changes))
    try:
        plan.canonical()
    except ValueError:
        raise UserError(
            f"{request.suite}: its networks or its budget count more than 2**53 of something, too"
            " much to write down."
        ) from None
    return resolved.suite, plan
