"""`make tables`: writes what verifiers know of this version without loading it.

leaderboard/formats/catalogue.json lists tasks and algorithms; leaderboard/verification/plans.json
lists the digest of every shipped suite's plan. A test holds both files equal to what is written
here.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path

import leaderboard
from agents.catalog import AGENTS, agent_spec
from agents.members.blocks import BLOCKS
from agents.sparsity.distribution import DISTRIBUTIONS
from agents.sparsity.regime import TRIPLES
from envs.tasks import TASKS
from harness.files import write_atomic
from harness.planning.suite import RESIDUALS
from leaderboard.formats.catalogue import Algorithm, Catalogue, Task

FOLDER = Path(leaderboard.__file__).parent


def catalogue() -> Catalogue:
    """Tasks and algorithms of this version."""
    tasks = {
        name: Task(dict(task.observation), task.returns) for name, task in sorted(TASKS.items())
    }
    algorithms = dict[str, Algorithm]()
    for name in sorted(AGENTS):
        spec = agent_spec(name)
        settings = tuple(field.name for field in dataclasses.fields(spec))
        algorithms[name] = Algorithm(spec.MODULES, spec.POLICY_MODULES, settings)

    return Catalogue(
        tasks=tasks,
        algorithms=algorithms,
        rules=tuple(TRIPLES),
        distributions=tuple(DISTRIBUTIONS),
        blocks=tuple(BLOCKS),
        residuals=RESIDUALS,
    )


def tables() -> dict[Path, bytes]:
    """Path -> content of every table."""
    return {FOLDER / "formats/catalogue.json": _text(asdict(catalogue()))}


def _text(document: object) -> bytes:
    """JSON for people: one value a line, so that a change shows as a small difference."""
    return (json.dumps(document, indent=1) + "\n").encode()


if __name__ == "__main__":
    for path, content in tables().items():
        write_atomic(path, content)
