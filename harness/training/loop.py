"""The training loop: one cohort, from its first step to the results of its runs."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.diagnostics.figures import diagnose
from agents.members.upload import upload
from agents.protocol import Agent
from envs.pool import Cursor
from envs.spec import Flags, Floats
from envs.tasks import TASKS
from envs.worker import Worker
from harness.errors import UserError
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.seeding import environment_seed, generator
from harness.training.agents import build_agent
from harness.training.checkpoint import Checkpoint, Checkpoints
from harness.training.evaluation import Evaluator, Measuring
from harness.training.profiling import traced
from harness.training.records import Records
from harness.training.results import TIMING_SCHEMA, Failure, Timing, write_result
from harness.training.signs import SIGNATURES, new_signs

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK_EVERY = 250
"""Agent steps between looks at whether every member is still finite (each look waits for the device)."""


@dataclass
class Clock:
    """Seconds spent by kind, for timing.json and the progress line."""

    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.time)

    @contextmanager
    def time(self, kind: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[kind] = self.seconds.get(kind, 0.0) + time.perf_counter() - begin


Report = Callable[[int, Sequence[str]], None]
"""Called with the number of finished agent steps, and the signs of failure that showed so far."""
Stop = Callable[[], UserError | None]
"""Asked after every agent step: the error to stop with, or None to go on."""


class Training:
    """A cohort on its way: agent, environments, evaluators and the records of each run.

    A context: it holds environments and files. Methods that step environments raise EnvironmentFault when those have ended,
    or have been silent for `patience` seconds.
    """

    def __init__(
        self,
        plan: Plan,
        cohort: Cohort,
        folder: Path,
        device: str,
        patience: float,
        record: bool = True,
    ) -> None:
        self.plan, self.cohort, self.folder, self.device, self.record = (
            plan,
            cohort,
            folder,
            device,
            record,
        )
        self.task = TASKS[cohort.task]
        self.members = len(cohort.runs)
        self.settings = plan.agent_settings(cohort.runs[0])
        self.agent = self._build_agent()
        self.patience = patience
        self.records: list[Records] = []
        self.failures: list[Failure | None] = [None] * self.members
        self.signs: list[str] = []
        self.measuring: tuple[Measuring, dict[int, dict[str, Any]]] | None = None
        """The evaluation under way, and what its records hold already."""
        self.first_masks = [self._masks(member) for member in range(self.members)]
        self.evaluations = 0
        self.step = 0
        self.resumes, self.drifted = 0, False
        self.clock = Clock()

    def _build_agent(self) -> Agent:
        source, runs = self.plan.seed_source, self.cohort.runs
        return build_agent(
            self.plan,
            runs[0],
            [self.plan.regimes[run.regime] for run in runs],
            lambda member, word: generator(source, runs[member].task, runs[member].seed, word),
            device=self.device,
            record=self.record,
        )

    def _evaluator(self, word: str, episodes: int) -> Evaluator:
        slots = range(self.plan.evaluation.environments)
        seeds = [
            [
                environment_seed(self.plan.seed_source, run.task, run.seed, f"{word}/{slot}")
                for slot in slots
            ]
            for run in self.cohort.runs
        ]
        return Evaluator(self.worker, self.task, seeds, episodes, self.plan.budget.action_repeat)

    def _masks(self, member: int) -> dict[str, dict[str, Tensor]]:
        return {
            name: module.masks.member_masks(member) for name, module in self.agent.modules().items()
        }

    # -- the loop --

    def run(
        self,
        checkpoints: Checkpoints,
        found: Checkpoint | None,
        every: float,
        report: Report,
        stop: Stop,
        trace: Path | None = None,
    ) -> None:
        """Begin, or go on from `found`; train to the end of the budget and write every run's result.

        A checkpoint is written every `every` seconds and when `stop` returns an error, which is then raised. `trace`: where a
        trace of some agent steps goes.
        """
        report(self.step, self.signs)
        observation = self._begin() if found is None else self.restore(found)
        report(self.step, self.signs)
        saved = time.monotonic()
        with traced(trace, max(0, self.settings.learning_starts - self.step)) as one_more:
            for step in range(self.step + 1, self.plan.budget.agent_steps + 1):
                observation = self.agent_step(observation)
                one_more()
                self.step = step
                if step % CHECK_EVERY == 0:
                    self.freeze_failed()
                if step % self.plan.evaluation.every == 0:
                    self.evaluate()
                report(step, self.signs)
                reason = stop()
                if reason is not None or time.monotonic() - saved >= every:
                    self.save(checkpoints)
                    saved = time.monotonic()
                if reason is not None:
                    raise reason
        self.finish()

    def __enter__(self) -> Self:
        source, repeat = self.plan.seed_source, self.plan.budget.action_repeat
        # [P][E]: off-policy agents learn from one environment.
        seeds = [[environment_seed(source, run.task, run.seed, "env")] for run in self.cohort.runs]
        self.worker = Worker(self.patience)
        self.pool = self.worker.pool(self.task, seeds, repeat)
        self.evaluator = self._evaluator("eval", self.plan.evaluation.episodes)
        return self

    def __exit__(self, *raised: object) -> None:
        for records in self.records:
            records.close()
        self.worker.close()

    def _begin(self) -> Floats:
        """Start records, environments and the curve; returns the first observations [P, E, obs]."""
        self.records = [Records(path) for path in self._record_paths()]
        observation = self.pool.reset()
        self.evaluate()
        return observation

    def _record_paths(self) -> list[Path]:
        return [Folder(self.folder).run(run).records for run in self.cohort.runs]

    # -- checkpoints --

    def save(self, checkpoints: Checkpoints) -> None:
        """Write everything that `restore` needs; an evaluation under way is ended first."""
        self.end_evaluation()
        with self.clock.time("checkpoint"):
            for records in self.records:
                records.sync()
            cursor = self.pool.cursor
            state = {
                "agent": self.agent.state(),
                "resets": list(cursor.resets),
                "actions": [torch.from_numpy(actions) for actions in cursor.actions],
                "evaluations": self.evaluations,
                "failures": [
                    None if failure is None else asdict(failure) for failure in self.failures
                ],
                "records": [[records.length, records.head] for records in self.records],
                "resumes": self.resumes,
                "drifted": self.drifted,
                "clock": {"started": self.clock.started, "seconds": dict(self.clock.seconds)},
            }
            checkpoints.write(self.step, state, self.agent.replay_rows(checkpoints.saved))

    def restore(self, found: Checkpoint) -> Floats:
        """Be where the checkpoint was written; returns the observations to act on [P, E, obs]."""
        state = found.state
        self.records = [
            Records.resume(path, *end)
            for path, end in zip(self._record_paths(), state["records"], strict=True)
        ]
        self.agent.restore(state["agent"], found.rows)
        self.signs = [
            self._sign_in_words(member, sign)
            for member, records in enumerate(self.records)
            for sign in records.read("sign")
        ]
        self.step, self.evaluations = found.step, state["evaluations"]
        self.failures = [
            None if failure is None else Failure(**failure) for failure in state["failures"]
        ]
        self.resumes, self.drifted = state["resumes"] + 1, self.drifted or state["drifted"]
        self.clock = Clock(state["clock"]["seconds"], state["clock"]["started"])
        return self.pool.restore(
            Cursor(tuple(state["resets"]), tuple(actions.numpy() for actions in state["actions"]))
        )

    def agent_step(self, observation: Floats) -> Floats:
        """Observations to act on [P, E, obs] -> the next ones.

        act, begin, send, [update], recv, complete, [update]: learning runs beside the simulator
        where that is exact.
        """
        agent = self.agent
        seen = self._tensor(observation)
        with self.clock.time("train"):
            action = agent.act(seen, explore=True)
            agent.begin(seen, action)
            chosen = action.cpu().double().numpy()  # waits for what the device has still to learn
        with self.clock.time("env"):
            self.pool.send(self._finite_actions(chosen))
        self._measure_on()
        overlaps = agent.overlaps()
        if overlaps:
            self._update()
        with self.clock.time("env"):
            step = self.pool.recv()
        self._check_observations(step.observation)
        with self.clock.time("train"):
            reward = self._tensor(step.reward)
            after = self._tensor(step.observation)
            agent.complete(reward, after, step.terminated, step.truncated)
        if not overlaps:
            self._update()
        return step.start

    def _update(self) -> None:
        with self.clock.time("train"):
            self.agent.update()

    def _tensor(self, array: Floats) -> Tensor:
        return upload(np.nan_to_num(array), self.device)

    # -- health --

    def _finite_actions(self, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """A member with an action that is not finite has failed; its environments get zeros."""
        finite = _finite_members(action)
        for member in np.flatnonzero(~finite):
            self._fail(int(member), "the policy's action is not finite")
        return np.where(finite[:, None, None], action, 0.0)

    def _check_observations(self, observation: Floats) -> None:
        for member in np.flatnonzero(~_finite_members(observation)):
            self._fail(int(member), "the simulator returned an observation that is not finite")

    def freeze_failed(self) -> None:
        """Freeze members whose losses or parameters are not finite; the others go on."""
        for member, reason in enumerate(self.agent.check_finite()):
            if reason is not None:
                self._fail(member, reason)

    def _fail(self, member: int, reason: str) -> None:
        if self.failures[member] is None:
            self.end_evaluation()  # so that records stand in one order, wherever checkpoints fall
            self.failures[member] = Failure("agent", reason, self.step)
            self.agent.freeze(member)
            self.records[member].append(
                {"kind": "failure", "agent_step": self.step, "reason": reason}
            )

    # -- measuring --

    def evaluate(self) -> None:
        """Begin a scheduled evaluation of the policies of this moment; it is carried on beside learning."""
        self.end_evaluation()
        self.freeze_failed()
        with self.clock.time("eval"):
            measuring = self.evaluator.begin(self.agent.snapshot(), self.evaluations, self.device)
            measured = self._diagnostics()
        records = {
            member: {
                "kind": "evaluation",
                "number": self.evaluations,
                "agent_step": self.step,
                "environment_step": self.step * self.plan.budget.action_repeat,
                "diagnostics": measured[member],
                "updates": dict(self.agent.counts()),
                "rewires": {
                    name: module.masks.rewires[member]
                    for name, module in self.agent.modules().items()
                },
            }
            for member in self._healthy()
        }
        self.evaluations += 1
        self.measuring = measuring, records

    def _measure_on(self) -> None:
        """One step of the evaluation under way."""
        if self.measuring is not None:
            with self.clock.time("eval"):
                measured = self.measuring[0].advance()
            if measured:
                self.end_evaluation()

    def end_evaluation(self) -> None:
        """Carry the evaluation under way to its end, and record it for each run that was well when it began."""
        if self.measuring is None:
            return
        (measuring, records), self.measuring = self.measuring, None
        with self.clock.time("eval"):
            returns = measuring.finish()
        for member, record in records.items():
            self.records[member].append({**record, "returns": returns[member].tolist()})
            self._look_for_signs(member)

    def _look_for_signs(self, member: int) -> None:
        """Note what the papers call signs of failure, when they first show."""
        records = self.records[member]
        known = [record["name"] for record in records.read("sign")]
        for sign in new_signs(records.read("evaluation"), known):
            records.append({"kind": "sign", **sign})
            self.signs.append(self._sign_in_words(member, sign))

    def _sign_in_words(self, member: int, sign: dict[str, Any]) -> str:
        meaning = SIGNATURES[sign["name"]][1]
        return f"{self.cohort.runs[member].name}: agent step {sign['agent_step']}: {meaning} ({sign['value']:.2f})"

    def _diagnostics(self) -> list[dict[str, dict[str, float | None]]]:
        """Networks are probed on replayed states, so there is nothing to probe before the warm-up is over."""
        if self.step < self.settings.learning_starts:
            return [{} for _ in range(self.members)]
        return diagnose(self.agent.modules(), self.agent.probe())

    def _healthy(self) -> list[int]:
        return [member for member in range(self.members) if self.failures[member] is None]

    def finish(self) -> None:
        """Score the final policies on their own stream and write every run's files, its result last of all."""
        self.end_evaluation()
        self.freeze_failed()
        with self.clock.time("eval"):
            self.evaluator.close()
            evaluator = self._evaluator("final", self.plan.evaluation.final_episodes)
            returns = evaluator(self.agent.snapshot(), 0, self.device)
        for member, run in enumerate(self.cohort.runs):
            failed = self.failures[member]
            if failed is None:
                self.records[member].append(
                    {"kind": "final", "agent_step": self.step, "returns": returns[member].tolist()}
                )
            write_result(
                Folder(self.folder).run(run),
                run=run,
                agent=self.agent,
                member=member,
                members=self.members,
                size=self.plan.sizes[run.kind],
                signs=self.records[member].read("sign"),
                first_masks=self.first_masks[member],
                final_returns=returns[member].tolist() if failed is None else [],
                failure=failed,
                environment_steps=self.step * self.plan.budget.action_repeat,
                chain_head=self.records[member].head,
                timing=self._timing(),
            )

    def _timing(self) -> Timing:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
        ended, seconds = time.time(), dict(self.clock.seconds)
        exact = torch.are_deterministic_algorithms_enabled()
        return Timing(
            TIMING_SCHEMA,
            self.clock.started,
            ended,
            seconds,
            self.resumes,
            self.drifted,
            exact,
            memory,
        )


def _finite_members(array: Floats | NDArray[np.float64]) -> Flags:
    """Whether all of a member's numbers are finite: [P, E, ...] -> [P]."""
    finite: Flags = np.all(np.isfinite(array), axis=tuple(range(1, array.ndim)))
    return finite
