"""`make tables`: writes what verifiers know of this version without loading it, and docs/claims.md.

leaderboard/formats/catalogue.json lists tasks and algorithms; plans.json beside it lists the digest
of every shipped suite's plan. A test holds all files equal to what is written here.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path

import leaderboard.formats
from agents.catalog import AGENTS, agent_spec
from agents.members.blocks import BLOCKS, RESIDUALS
from agents.sparsity.distribution import DISTRIBUTIONS
from agents.sparsity.regime import TRIPLES
from envs.tasks import TASKS
from harness.files import write_atomic
from harness.planning.claims_page import claims_page
from harness.planning.making import make_plan
from harness.planning.reader import load
from harness.suites import shipped
from leaderboard.formats.catalogue import Algorithm, Catalogue, Task
from leaderboard.formats.plan import suite_digest
from leaderboard.formats.shipped import ShippedPlan, claims_digest

FOLDER = Path(leaderboard.formats.__file__).parent
PAGE = Path(__file__).parent.parent.parent / "docs" / "claims.md"


def catalogue() -> Catalogue:
    """Tasks and algorithms of this version."""
    tasks = {
        name: Task(dict(task.observation), task.returns, task.horizon)
        for name, task in sorted(TASKS.items())
    }
    algorithms = dict[str, Algorithm]()
    for name in sorted(AGENTS):
        spec = agent_spec(name)
        settings = tuple(field.name for field in dataclasses.fields(spec))
        blocks = tuple(spec.BLOCKS)
        algorithms[name] = Algorithm(spec.MODULES, spec.POLICY_MODULES, settings, blocks)

    return Catalogue(
        tasks=tasks,
        algorithms=algorithms,
        rules=tuple(TRIPLES),
        distributions=tuple(DISTRIBUTIONS),
        blocks=tuple(BLOCKS),
        residual_blocks=tuple(name for name, row in BLOCKS.items() if row.residual != "none"),
        residuals=RESIDUALS,
    )


def plans() -> dict[str, dict[str, ShippedPlan]]:
    """Suite -> version -> digest of its plan, for every shipped suite."""
    rows: dict[str, dict[str, ShippedPlan]] = {}
    for name in shipped():
        resolved = load(name)
        plan = make_plan(resolved)
        row = ShippedPlan(suite_digest(plan.canonical()), claims_digest(plan.suite.claims))
        rows[name] = {str(resolved.suite.version): row}
    return rows


def tables() -> dict[Path, bytes]:
    """Path -> content of every table."""
    digests = {
        name: {version: asdict(plan) for version, plan in versions.items()}
        for name, versions in plans().items()
    }
    return {
        FOLDER / "catalogue.json": _text(asdict(catalogue())),
        FOLDER / "plans.json": _text(digests),
        PAGE: claims_page(PAGE.read_text()).encode(),
    }


def _text(document: object) -> bytes:
    """JSON for people: one value a line, so that a change shows as a small difference."""
    return (json.dumps(document, indent=1) + "\n").encode()


if __name__ == "__main__":
    for path, content in tables().items():
        write_atomic(path, content)
