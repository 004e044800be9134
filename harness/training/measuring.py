"""Evaluations of a cohort: scheduled ones beside learning, and a final one that scores its runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.diagnostics.figures import diagnose
from agents.protocol import Agent
from envs.tasks import TASKS
from envs.worker import Worker
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.seeding import environment_seed
from harness.training.clock import Clock
from harness.training.evaluation import Evaluator, Measuring
from harness.training.failure_signatures import in_words, new_signatures
from harness.training.records import Record, Records
from leaderboard.formats.run import FailureSignature


class Measurements:
    """What a cohort's policies return, and what its networks look like, over its agent steps.

    A scheduled evaluation is carried on beside learning, on a snapshot of the policies. It is ended
    before the next one, before a checkpoint and before a member is frozen, so the order of records
    never depends on when checkpoints happen.
    """

    def __init__(self, plan: Plan, cohort: Cohort, agent: Agent, device: str, clock: Clock) -> None:
        self.plan = plan
        self.cohort = cohort
        self.agent = agent
        self.device = device
        self.clock = clock
        self.learning_starts = plan.agent_settings(cohort.runs[0]).learning_starts

        self.worker: Worker
        """The process that owns the environments; set by `use`."""
        self.evaluator: Evaluator
        """Of scheduled evaluations; set by `use`."""
        self.records: list[Records] = []
        """One for each run; set by whoever begins or resumes the cohort."""
        self.evaluations = 0
        """Scheduled evaluations that were begun."""
        self.warnings: list[str] = []
        """Failure signatures that showed so far, in words."""
        self._in_progress: tuple[Measuring, dict[int, Record]] | None = None
        """The evaluation in progress, and what its records hold already, by member."""

    def use(self, worker: Worker) -> None:
        """Environments are those of this process from now on."""
        self.worker = worker
        self.evaluator = self._evaluator("eval", self.plan.evaluation.episodes)

    def _evaluator(self, word: str, episodes: int) -> Evaluator:
        """Evaluations on the streams `word`, one stream for each run and slot."""
        source = self.plan.seed_source
        seeds = []
        for run in self.cohort.runs:
            words = [f"{word}/{slot}" for slot in range(self.plan.evaluation.environments)]
            seeds.append([environment_seed(source, run.task, run.seed, word) for word in words])
        task = TASKS[self.cohort.task]
        return Evaluator(self.worker, task, seeds, episodes, self.plan.budget.action_repeat)

    # -- scheduled evaluations --

    def begin(self, step: int, healthy: Sequence[int]) -> None:
        """Begins an evaluation of the policies of this moment; the healthy members are recorded."""
        with self.clock.time("eval"):
            measuring = self.evaluator.begin(self.agent.snapshot(), self.evaluations, self.device)
            diagnostics = self._diagnostics(step)

        records = dict[int, Record]()
        modules = self.agent.modules()
        for member in healthy:
            rewires = {name: module.masks.rewires[member] for name, module in modules.items()}
            records[member] = {
                "kind": "evaluation",
                "number": self.evaluations,
                "agent_step": step,
                "environment_step": step * self.plan.budget.action_repeat,
                "diagnostics": diagnostics[member],
                "updates": dict(self.agent.counts()),
                "rewires": rewires,
            }
        self.evaluations += 1
        self._in_progress = measuring, records

    def advance(self) -> None:
        """One step of the evaluation in progress, if there is one."""
        if self._in_progress is None:
            return
        with self.clock.time("eval"):
            measured = self._in_progress[0].advance()
        if measured:
            self.end()

    def end(self) -> None:
        """Carries the evaluation in progress to its end, and records it for each run."""
        if self._in_progress is None:
            return
        measuring, records = self._in_progress
        self._in_progress = None
        with self.clock.time("eval"):
            returns = measuring.finish()
        for member, record in records.items():
            self.records[member].append({**record, "returns": returns[member].tolist()})
            self._record_signatures(member)

    def _diagnostics(self, step: int) -> list[dict[str, dict[str, float | None]]]:
        """Networks are probed on replayed states: before learning starts there is nothing to
        probe."""
        if step < self.learning_starts:
            return [{} for _ in self.cohort.runs]
        return diagnose(self.agent.modules(), self.agent.probe())

    # -- failure signatures --

    def _record_signatures(self, member: int) -> None:
        records = self.records[member]
        known = [record["name"] for record in records.read("sign")]
        for signature in new_signatures(records.read("evaluation"), known):
            records.append({"kind": "sign", **signature})
            self._warn(member, signature)

    def signatures(self, member: int) -> list[FailureSignature]:
        """Failure signatures that a run has shown."""
        records = self.records[member].read("sign")
        return [
            FailureSignature(record["name"], record["agent_step"], record["value"])
            for record in records
        ]

    def _warn(self, member: int, signature: Record) -> None:
        self.warnings.append(f"{self.cohort.runs[member].name}: {in_words(signature)}")

    def restore(self, evaluations: int) -> None:
        """Resumes after so many scheduled evaluations; `records` must be resumed already."""
        self.evaluations = evaluations
        for member, records in enumerate(self.records):
            for signature in records.read("sign"):
                self._warn(member, signature)

    # -- the score --

    def final(self) -> NDArray[np.float64]:
        """Returns of the final policies on their own stream: [P, episodes]."""
        with self.clock.time("eval"):
            self.evaluator.close()
            evaluator = self._evaluator("final", self.plan.evaluation.final_episodes)
            return evaluator(self.agent.snapshot(), 0, self.device)
