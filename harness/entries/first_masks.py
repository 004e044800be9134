"""Draws the first masks of an entry's runs again: whether a sparse run began where its seed says.

A first mask follows from seed source, task, seed and module alone, so nobody can choose it, or call
the masks of another regime its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from agents.sparsity.chains import mask_digest
from agents.sparsity.masks import initial_masks
from agents.sparsity.regime import ModuleRegime
from envs.tasks import TASKS
from harness.planning.plan import Plan
from harness.planning.shapes import task_shape
from harness.seeding import generator
from leaderboard.formats.run import Run, StatedRun


def first_mask_defects(plan: Plan, runs: Iterable[StatedRun]) -> list[str]:
    """A sentence for each module of a run whose first masks are not those of its seed."""
    drawn = dict[object, str]()
    defects = list[str]()
    for stated in runs:
        if stated.missing:
            continue
        run = Run(*stated.identity)
        for module, triple in plan.regimes[run.regime].items():
            # Regimes that share a triple and a network share the masks of a seed.
            same = (run.task, run.seed, module, triple, str(plan.own.get(run.group)))
            if same not in drawn:
                drawn[same] = _first_digest(plan, run, module, triple)
            if stated.mask_first.get(module) != drawn[same]:
                defects.append(
                    f"{run.name}: {module}: its first masks are not those that its seed draws"
                )
    return defects


def _first_digest(plan: Plan, run: Run, module: str, triple: ModuleRegime) -> str:
    """Digest of the first masks of a module, drawn as training draws them."""
    shape = task_shape(TASKS[run.task], plan.budget.action_repeat)
    linears, copies = plan.agent_settings(run).shapes(shape)[module]
    counts, _ = triple.counts(linears)
    stream = generator(plan.seed_source, run.task, run.seed, f"mask/{module}")
    return mask_digest(initial_masks(linears, counts, copies, stream))
