"""Evaluations of a cohort: scheduled ones beside learning, and a final one that scores its runs.

What is measured goes into the records of each run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.diagnostics.figures import diagnose
from agents.members.download import Download
from agents.protocol import Agent, State
from envs.tasks import TASKS
from envs.worker import Worker
from harness.files import Files
from harness.folder import Folder
from harness.machine.resources import memory_gib
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.planning.sizing import MEMORY_MIB
from harness.seeding import environment_seed
from harness.training.clock import Clock
from harness.training.evaluation import Evaluator, Measuring
from harness.training.failure_signatures import in_words, new_signatures
from harness.training.records import Record, Records
from leaderboard.formats.run import FailureSignature

PAUSE = 5e-5
"""Seconds between two looks at whether a device has chosen actions."""


class Measurements:
    """What a cohort's policies return, and what its networks look like, over its agent steps.

    A scheduled evaluation runs beside learning, on a snapshot of the policies. It is ended before
    the next one, before a checkpoint and before a member is frozen, so the order of records never
    depends on when checkpoints happen.
    """

    def __init__(
        self,
        plan: Plan,
        cohort: Cohort,
        folder: Folder,
        agent: Agent,
        device: str,
        clock: Clock,
        files: Files,
    ) -> None:
        self.plan = plan
        self.cohort = cohort
        self.folder = folder
        self.agent = agent
        self.device = device
        self.clock = clock
        self.files = files
        self.learning_starts = plan.agent_settings(cohort.runs[0]).learning_starts

        # Set once there are environments (`use`)
        self.worker: Worker
        """The process that owns the environments of evaluations."""
        self.evaluator: Evaluator
        """Of scheduled evaluations."""

        # Set by `start` or `restore`, and continued by every evaluation
        self.records: list[Records] = []
        """One for each run."""
        self.evaluations = 0
        """Scheduled evaluations that were begun."""
        self.warnings: list[str] = []
        """Failure signatures that showed so far, in words."""
        self._in_progress: tuple[Measuring, dict[int, Record]] | None = None
        """The evaluation in progress, and what its records hold already, by member."""

    def use(self, worker: Worker) -> None:
        """Evaluates in environments of this process from now on."""
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
        repeat = self.plan.budget.action_repeat
        return Evaluator(self.worker, task, seeds, episodes, repeat, _memory_mib(self.device))

    # -- records --

    def start(self) -> None:
        """Starts an empty file of records for each run."""
        self.records = [Records(path, self.files) for path in self._record_paths()]

    def state(self) -> State:
        """What `restore` resumes from; records are on disk when this returns."""
        for records in self.records:
            records.sync()
        ends = [[records.length, records.head] for records in self.records]
        return {"evaluations": self.evaluations, "records": ends}

    def restore(self, state: State) -> None:
        """Inverse of `state`: files that grew since are cut to their length at that moment."""
        self.evaluations = state["evaluations"]
        ends = zip(self._record_paths(), state["records"], strict=True)
        self.records = [
            Records.resume(path, length, head, self.files) for path, (length, head) in ends
        ]

        # Warnings are no part of a state: the records hold them.
        for member, records in enumerate(self.records):
            for signature in records.read("failure signature"):
                self._warn(member, signature)

    def close(self) -> None:
        """Closes the files of records."""
        for records in self.records:
            records.close()

    def _record_paths(self) -> list[Path]:
        return [self.folder.run(run).records for run in self.cohort.runs]

    # -- scheduled evaluations --

    def begin(self, step: int, healthy: Sequence[int]) -> None:
        """Begins an evaluation of the policies of this moment; the healthy members are recorded."""
        with self.clock.time("eval"):
            measuring = self.evaluator.begin(self.agent.snapshot(), self.evaluations, self.device)
            diagnostics = self._diagnostics(step)

        # Everything but the returns is known now: later learning changes it.
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
        """Carries the evaluation in progress on, if there is one and it means no waiting."""
        if self._in_progress is None:
            return
        with self.clock.time("eval"):
            measured = self._in_progress[0].advance()
        if measured:
            self.end()

    def advance_until(self, arriving: Download) -> NDArray[np.float64]:
        """Carries it on while the device is busy: above all through a block of updates that ends
        with the actions that are `arriving`. Returns these."""
        while self._in_progress is not None and not arriving.ready():
            self.advance()
            with self.clock.time("train"):
                time.sleep(PAUSE)
        with self.clock.time("train"):
            return arriving.numpy()

    def end(self) -> None:
        """Carries the evaluation in progress to its end, and records it for each run."""
        if self._in_progress is None:
            return
        measuring, records = self._in_progress
        self._in_progress = None
        with self.clock.time("eval"):
            returns = measuring.finish()

        # A failure signature follows the evaluation that showed it.
        for member, record in records.items():
            self.records[member].append({**record, "returns": returns[member].tolist()})
            self._record_signatures(member)

    def _diagnostics(self, step: int) -> list[dict[str, dict[str, float | None]]]:
        """Figures of every member's networks; none before learning starts, since networks are
        probed on replayed states."""
        if step < self.learning_starts:
            return [{} for _ in self.cohort.runs]
        return diagnose(self.agent.modules(), self.agent.probe())

    # -- failure signatures --

    def _record_signatures(self, member: int) -> None:
        """Records each signature once: when it first shows."""
        records = self.records[member]
        known = [record["name"] for record in records.read("failure signature")]

        for signature in new_signatures(records.read("evaluation"), known):
            records.append({"kind": "failure signature", **signature})
            self._warn(member, signature)

    def signatures(self, member: int) -> list[FailureSignature]:
        """Failure signatures that a run has shown."""
        records = self.records[member].read("failure signature")
        return [
            FailureSignature(record["name"], record["agent_step"], record["value"])
            for record in records
        ]

    def _warn(self, member: int, signature: Record) -> None:
        self.warnings.append(f"{self.cohort.runs[member].name}: {in_words(signature)}")

    # -- the score --

    def final(self, step: int, healthy: Sequence[int]) -> list[list[float]]:
        """Measures the final policies on their own stream and records the healthy members.

        Returns [P][episodes]; a failed member has no returns, and so no score.
        """
        with self.clock.time("eval"):
            self.evaluator.close()
            evaluator = self._evaluator("final", self.plan.evaluation.final_episodes)
            measured = evaluator(self.agent.snapshot(), 0, self.device)

        returns: list[list[float]] = [[] for _ in self.cohort.runs]
        for member in healthy:
            returns[member] = measured[member].tolist()
            record = {"kind": "final", "agent_step": step, "returns": returns[member]}
            self.records[member].append(record)
        return returns


def _memory_mib(device: str) -> float:
    """What the environments of evaluations may take at a time.

    Beside a GPU half of the free memory: all members are then measured at once, and their
    environments, which take seconds to build, are kept.
    """
    if not device.startswith("cuda"):
        return MEMORY_MIB
    return max(MEMORY_MIB, memory_gib() * 1024.0 / 2.0)
