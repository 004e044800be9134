"""The training loop: one cohort, from its first step to the results of its runs."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from agents.members.upload import upload
from envs.pool import Cursor
from envs.spec import Floats
from envs.tasks import TASKS
from envs.worker import Worker
from harness.errors import UserError
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.seeding import environment_seed, generator
from harness.training.agents import build_agent
from harness.training.checkpoint import Checkpoint, Checkpoints
from harness.training.clock import Clock
from harness.training.health import Health
from harness.training.measuring import Measurements
from harness.training.profiling import traced
from harness.training.records import Records
from harness.training.results import TIMING_SCHEMA, RunEnd, Timing, write_result

CHECK_EVERY = 250
"""Agent steps between checks that every member is finite; each check waits for the device."""

Report = Callable[[int, Sequence[str]], None]
"""Called with the number of finished agent steps and the failure signatures so far, in words."""
Stop = Callable[[], UserError | None]
"""Called after every agent step: the error to stop with, or None to continue."""


class Training:
    """A cohort in training: agent, environments, measurements and the records of each run.

    Context manager: it holds environments and files. Methods that step environments raise
    EnvironmentFault once these ended, or were silent for `patience` seconds.
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
        """`record`: capture steps where the device can."""
        self.plan = plan
        self.cohort = cohort
        self.folder = Folder(folder)
        self.device = device
        self.patience = patience

        self.clock = Clock()
        source = plan.seed_source
        runs = cohort.runs
        self.agent = build_agent(
            plan,
            runs[0],
            [plan.regimes[run.regime] for run in runs],
            lambda member, word: generator(source, runs[member].task, runs[member].seed, word),
            device=device,
            record=record,
        )
        self.first_masks = [self._masks(member) for member in range(len(cohort.runs))]
        self.measurements = Measurements(plan, cohort, self.agent, device, self.clock)
        self.health = Health(self.agent, self.measurements, len(cohort.runs))
        self.step = 0
        self.resumes = 0
        self.drifted = False

    def _masks(self, member: int) -> dict[str, dict[str, Tensor]]:
        modules = self.agent.modules()
        return {name: module.masks.member_masks(member) for name, module in modules.items()}

    def __enter__(self) -> Self:
        # Shape: [P][E]. Off-policy agents learn from one environment.
        source = self.plan.seed_source
        seeds = [[environment_seed(source, run.task, run.seed, "env")] for run in self.cohort.runs]
        task = TASKS[self.cohort.task]
        self.worker = Worker(self.patience)
        self.pool = self.worker.pool(task, seeds, self.plan.budget.action_repeat)
        self.measurements.use(self.worker)
        return self

    def __exit__(self, *raised: object) -> None:
        for records in self.measurements.records:
            records.close()
        self.worker.close()

    # -- the loop --

    def run(
        self,
        checkpoints: Checkpoints,
        checkpoint: Checkpoint | None,
        every: float,
        report: Report,
        stop: Stop,
        trace: Path | None = None,
    ) -> None:
        """Begins, or resumes from a checkpoint; trains to the end of the budget and writes every
        run's result.

        Writes a checkpoint every `every` seconds, and when `stop` returns an error, which is then
        raised. `trace`: where a trace of some agent steps goes.
        """
        warnings = self.measurements.warnings
        report(self.step, warnings)
        observation = self._begin() if checkpoint is None else self.restore(checkpoint)
        report(self.step, warnings)

        saved = time.monotonic()
        untrained = self.measurements.learning_starts - self.step
        with traced(trace, max(0, untrained)) as step_was_traced:
            for step in range(self.step + 1, self.plan.budget.agent_steps + 1):
                # One agent step, then what is due after it
                observation = self.agent_step(observation)
                step_was_traced()
                self.step = step
                if step % CHECK_EVERY == 0:
                    self.health.check_networks(step)
                if step % self.plan.evaluation.every == 0:
                    self.evaluate()
                report(step, warnings)

                # Save now and then, and before stopping
                error = stop()
                if error is not None or time.monotonic() - saved >= every:
                    self.save(checkpoints)
                    saved = time.monotonic()
                if error is not None:
                    raise error
        self.finish()

    def _begin(self) -> Floats:
        """Starts records, environments and the curve; first observations [P, E, obs]."""
        self.measurements.records = [Records(path) for path in self._record_paths()]
        observation = self.pool.reset()
        self.evaluate()
        return observation

    def _record_paths(self) -> list[Path]:
        return [self.folder.run(run).records for run in self.cohort.runs]

    def agent_step(self, observation: Floats) -> Floats:
        """Observations to act on [P, E, obs] -> the next ones.

        act, begin, send, [update], recv, complete, [update]: learning runs beside the simulator
        where that is exact.
        """
        agent = self.agent

        # The device chooses actions; the copy waits for what it still has to learn
        current = self._tensor(observation)
        with self.clock.time("train"):
            action = agent.act(current, explore=True)
            agent.begin(current, action)
            chosen = action.cpu().double().numpy()

        # The simulator works, and so do learning and an evaluation in progress
        with self.clock.time("env"):
            self.pool.send(self.health.finite_actions(chosen, self.step))
        self.measurements.advance()
        overlaps = agent.overlaps()
        if overlaps:
            self._update()

        # The answer
        with self.clock.time("env"):
            step = self.pool.recv()
        self.health.check_observations(step.observation, self.step)
        with self.clock.time("train"):
            reward = self._tensor(step.reward)
            following = self._tensor(step.observation)
            agent.complete(reward, following, step.terminated, step.truncated)
        if not overlaps:
            self._update()
        return step.start

    def _update(self) -> None:
        with self.clock.time("train"):
            self.agent.update()

    def _tensor(self, array: Floats) -> Tensor:
        return upload(np.nan_to_num(array), self.device)

    def evaluate(self) -> None:
        """Begins a scheduled evaluation, which `agent_step` carries on."""
        self.measurements.end()
        self.health.check_networks(self.step)
        self.measurements.begin(self.step, self.health.healthy())

    # -- checkpoints --

    def save(self, checkpoints: Checkpoints) -> None:
        """Writes everything that `restore` needs, after the evaluation in progress."""
        measurements = self.measurements
        measurements.end()
        with self.clock.time("checkpoint"):
            for records in measurements.records:
                records.sync()
            cursor = self.pool.cursor
            state = {
                "agent": self.agent.state(),
                "resets": list(cursor.resets),
                "actions": [torch.from_numpy(actions) for actions in cursor.actions],
                "evaluations": measurements.evaluations,
                "failures": self.health.state(),
                "records": [[records.length, records.head] for records in measurements.records],
                "resumes": self.resumes,
                "drifted": self.drifted,
                "clock": asdict(self.clock),
            }
            checkpoints.write(self.step, state, self.agent.replay_rows(checkpoints.saved))

    def restore(self, checkpoint: Checkpoint) -> Floats:
        """Resumes where the checkpoint was written; observations to act on [P, E, obs]."""
        state = checkpoint.state
        self.step = checkpoint.step
        self.agent.restore(state["agent"], checkpoint.rows)
        self.clock.restore(**state["clock"])

        # Files that were appended to are cut to their length at the checkpoint
        paths = zip(self._record_paths(), state["records"], strict=True)
        self.measurements.records = [Records.resume(path, *end) for path, end in paths]
        self.measurements.restore(state["evaluations"])

        self.health.restore(state["failures"])
        self.resumes = state["resumes"] + 1
        self.drifted = self.drifted or state["drifted"]
        actions = tuple(actions.numpy() for actions in state["actions"])
        return self.pool.restore(Cursor(tuple(state["resets"]), actions))

    # -- the end --

    def finish(self) -> None:
        """Scores the final policies on their own stream, and writes every run's files, its result
        last of all."""
        self.measurements.end()
        self.health.check_networks(self.step)
        returns = self.measurements.final()
        for member, run in enumerate(self.cohort.runs):
            records = self.measurements.records[member]
            final_returns = list[float]()
            failure = self.health.failures[member]
            if failure is None:
                final_returns = returns[member].tolist()
                records.append({"kind": "final", "agent_step": self.step, "returns": final_returns})
            end = RunEnd(
                run=run,
                member=member,
                members=len(self.cohort.runs),
                size=self.plan.sizes[run.kind],
                signatures=self.measurements.signatures(member),
                first_masks=self.first_masks[member],
                final_returns=final_returns,
                failure=failure,
                environment_steps=self.step * self.plan.budget.action_repeat,
                chain_head=records.head,
                timing=self._timing(),
            )
            write_result(self.folder.run(run), self.agent, end)

    def _timing(self) -> Timing:
        return Timing(
            schema=TIMING_SCHEMA,
            started=self.clock.started,
            ended=time.time(),
            seconds=dict(self.clock.seconds),
            resumes=self.resumes,
            drifted=self.drifted,
            deterministic=torch.are_deterministic_algorithms_enabled(),
            peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
        )
