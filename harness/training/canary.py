"""The canary: a short real run of an algorithm, whose every bit says whether the code still does
the same.

One cohort of two regimes trains on CartPole through the ordinary unit of work, on this CPU, in two
or three seconds: environments, learning, rewires, scheduled and final evaluations, records and
results. Equal digests of two versions of the code on one kind of machine mean that this run is
bit-identical there. Different ones mean that behaviour or the machine changed, and say nothing of
better or worse.

Known limit: a canary sees what its own small plan reaches. It never outweighs the scores of a real
run (entries/regress.py).
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch

from agents.catalog import agent_spec
from harness.options import Options
from harness.planning.cohorts import partition
from harness.planning.making import make_plan
from harness.planning.plan import Plan
from harness.planning.regimes import resolve
from harness.planning.suite import Protocol, Sparsity, Suite
from harness.training.unit import run_cohort

TASK = "cartpole-balance"
REPEAT = 20
"""Environment steps of an agent step. An episode has 50 agent steps, so training meets its end."""
UPDATES = 100
"""Agent steps after the warm-up."""
TRAINED = ("dst", "mst")
"""Regimes of the two members."""
VARYING = ("timing.json",)
"""Files of a run that differ between two equal runs."""


def canary(agent: str) -> str:
    """sha256 of everything that a short run of this algorithm leaves under runs/.

    Raises Incomplete if the environments break.
    """
    threads = torch.get_num_threads()
    try:
        with tempfile.TemporaryDirectory(prefix="mst-bench-canary-") as folder:
            carry_out(short_plan(agent), Path(folder))
            return _digest(Path(folder) / "runs")
    finally:
        torch.set_num_threads(threads)


def short_plan(agent: str) -> Plan:
    """The canary's plan: the smallest settings, masks that move often, three evaluations."""
    spec = agent_spec(agent)
    settings = spec.smallest()
    steps = settings.learning_starts + UPDATES
    suite = Suite(
        suite="canary",
        version=1,
        description="a short run of everything",
        tasks=(TASK,),
        regimes=TRAINED,
        seeds=1,
        environment_steps=steps * REPEAT,
        action_repeat=REPEAT,
        agent=agent,
        sparsity=Sparsity(interval=settings.rewire_multiple),
        evaluation=Protocol(every=steps // 2, episodes=2, final_episodes=2, environments=2),
        settings=asdict(settings),
    )
    return make_plan(resolve(suite, "canary"))


def carry_out(plan: Plan, folder: Path) -> None:
    """The one cohort of a short plan, on this CPU."""
    (cohort,) = partition(plan, "cpu", len(plan.runs)).cohorts
    run_cohort(folder, plan, cohort, Options(device="cpu"))


def _digest(runs: Path) -> str:
    """Over the names and bytes of all files that two equal runs have alike."""
    digest = hashlib.sha256()
    for path in sorted(runs.rglob("*")):
        if path.is_file() and path.name not in VARYING:
            digest.update(f"{path.relative_to(runs).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
