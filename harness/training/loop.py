"""The training loop: one cohort, from its first step to the results of its runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from agents.members.download import Download
from agents.protocol import Agent, State
from envs.pool import Cursor
from envs.tasks import TASKS
from envs.worker import Worker
from harness.errors import UserError
from harness.files import Files
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan
from harness.seeding import environment_seed, generator
from harness.training.agents import build_agent
from harness.training.checkpoint import Checkpoint, Checkpoints
from harness.training.clock import Clock
from harness.training.health import Health
from harness.training.measuring import Measurements
from harness.training.observed import upload_finite, upload_step
from harness.training.profiling import steps_before, traced
from harness.training.results import RunEnd, Timing, member_masks, write_result

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
        files: Files,
        record: bool = True,
    ) -> None:
        """`files`: how what counts is written. `record`: capture steps where the device can."""
        self.plan = plan
        self.cohort = cohort
        self.folder = Folder(folder)
        self.device = device
        self.patience = patience
        self.files = files
        self.clock = Clock()

        # The agent, how it is measured, and which of its members still learn
        members = len(cohort.runs)
        self.agent = _agent(plan, cohort, device, record)
        self.first_masks = [member_masks(self.agent, member) for member in range(members)]
        self.measurements = Measurements(
            plan, cohort, self.folder, self.agent, device, self.clock, files
        )
        self.health = Health(self.agent, self.measurements, members)

        # Progress
        self.step = 0
        self.resumes = 0
        """Times that the cohort was resumed from a checkpoint."""
        self.drifted = False
        """Whether code or libraries changed at one of them."""

    def __enter__(self) -> Self:
        task = TASKS[self.cohort.task]
        seeds = _seeds(self.plan, self.cohort)
        self.worker, self.measuring_worker = _workers(self.patience, self.device)
        self.pool = self.worker.pool(task, seeds, self.plan.budget.action_repeat)
        self.measurements.use(self.measuring_worker)
        return self

    def __exit__(self, *raised: object) -> None:
        self.measurements.close()
        self.measuring_worker.close()
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
        """Begins, or resumes from a checkpoint, whose `step` is this one's already; trains to the
        end of the budget and writes every run's result.

        Writes a checkpoint every `every` seconds, and when `stop` returns an error, which is then
        raised. `trace`: where a trace of some agent steps goes.
        """
        # Reported before and after: replaying environments of a checkpoint takes a while.
        warnings = self.measurements.warnings
        report(self.step, warnings)
        observation = self._begin() if checkpoint is None else self.restore(checkpoint)
        report(self.step, warnings)

        saved = time.monotonic()
        with traced(trace, _untraced(self.plan, self.cohort, self.step)) as step_was_traced:
            for step in range(self.step + 1, self.plan.budget.agent_steps + 1):
                # One agent step, then what is due after it.
                observation = self.agent_step(observation)
                step_was_traced()
                self.step = step
                if step % CHECK_EVERY == 0:
                    self.health.check_networks(step)
                if step % self.plan.evaluation.every == 0:
                    self.evaluate()
                report(step, warnings)

                # Save now and then, and before stopping.
                error = stop()
                if error is not None or time.monotonic() - saved >= every:
                    self.save(checkpoints)
                    saved = time.monotonic()
                if error is not None:
                    raise error
        self.finish()

    def _begin(self) -> Tensor:
        """Starts records, environments and the learning curve; first observations [P, E, obs]."""
        self.measurements.start()
        observation = self.pool.reset()
        self.evaluate()
        return upload_finite(observation, self.device)

    def agent_step(self, observation: Tensor) -> Tensor:
        """Observations to act on [P, E, obs] -> the next ones, on the device.

        act, send, begin, [update], recv, complete, [update]: learning runs beside the simulator
        where that is exact.
        """
        # The device chooses actions, after the learning that is still under way there.
        with self.clock.time("train"):
            action = self.agent.act(observation, explore=True)
        chosen = self.measurements.advance_until(Download(action))

        # The simulator works, and so do learning and an evaluation in progress.
        with self.clock.time("env"):
            self.pool.send(self.health.finite_actions(chosen, self.step))
        with self.clock.time("train"):
            self.agent.begin(observation, action)
        overlaps = self.agent.overlaps()
        if overlaps:
            self._update()
        self.measurements.advance()

        # The simulator's answer completes the transition.
        with self.clock.time("env"):
            step = self.pool.recv()
        self.health.check_observations(step.observation, self.step)
        with self.clock.time("train"):
            reward, following = upload_step(step, self.device)
            self.agent.complete(reward, following, step.terminated, step.truncated)
        if not overlaps:
            self._update()

        ended = step.terminated | step.truncated
        return upload_finite(step.start, self.device) if ended.any() else following

    def _update(self) -> None:
        with self.clock.time("train"):
            self.agent.update()

    def evaluate(self) -> None:
        """Begins a scheduled evaluation, which `agent_step` carries on."""
        self.measurements.end()
        self.health.check_networks(self.step)
        self.measurements.begin(self.step, self.health.healthy())

    # -- checkpoints --

    def save(self, checkpoints: Checkpoints) -> None:
        """Writes everything that `restore` needs, after the evaluation in progress."""
        self.measurements.end()
        with self.clock.time("checkpoint"):
            state = {
                "agent": self.agent.state(),
                "environments": _cursor_state(self.pool.cursor),
                "measurements": self.measurements.state(),
                "failures": self.health.state(),
                "resumes": self.resumes,
                "drifted": self.drifted,
                "clock": self.clock.state(),
            }
            checkpoints.write(self.step, state, self.agent.replay_rows(checkpoints.saved))

    def restore(self, checkpoint: Checkpoint) -> Tensor:
        """Resumes where the checkpoint was written; observations to act on [P, E, obs]."""
        state = checkpoint.state
        self.step = checkpoint.step
        self.agent.restore(state["agent"], checkpoint.rows)
        self.measurements.restore(state["measurements"])
        self.health.restore(state["failures"])
        self.clock.restore(**state["clock"])
        self.resumes = state["resumes"] + 1
        self.drifted = self.drifted or state["drifted"]
        observation = self.pool.restore(_cursor(state["environments"]))
        return upload_finite(observation, self.device)

    # -- the end --

    def finish(self) -> None:
        """Scores the final policies on their own stream, and writes every run's files, its result
        last of all."""
        self.measurements.end()
        self.health.check_networks(self.step)
        returns = self.measurements.final(self.step, self.health.healthy())
        for member, run in enumerate(self.cohort.runs):
            end = _end(self, member, returns[member])
            write_result(self.folder.run(run), self.agent, end, self.files)


def _end(training: Training, member: int, returns: list[float]) -> RunEnd:
    """How the run of a member ended, with the returns of its final policy."""
    run = training.cohort.runs[member]
    return RunEnd(
        run=run,
        member=member,
        members=len(training.cohort.runs),
        size=training.plan.sizes[run.group],
        signatures=training.measurements.signatures(member),
        first_masks=training.first_masks[member],
        final_returns=returns,
        failure=training.health.failures[member],
        environment_steps=training.step * training.plan.budget.action_repeat,
        chain_head=training.measurements.records[member].head,
        timing=Timing.of(training.clock, training.resumes, training.drifted),
    )


def _agent(plan: Plan, cohort: Cohort, device: str, record: bool) -> Agent:
    """One member for each run of a cohort, on the streams of the run's own seed."""
    runs = cohort.runs

    def streams(member: int, word: str) -> torch.Generator:
        return generator(plan.seed_source, runs[member].task, runs[member].seed, word)

    regimes = [plan.regimes[run.regime] for run in runs]
    return build_agent(plan, runs[0], regimes, streams, device=device, record=record)


def _workers(patience: float, device: str) -> tuple[Worker, Worker]:
    """The processes of environments for training and for evaluations.

    Beside a GPU there are cores for both: no step of training waits behind an evaluation's.
    """
    training = Worker(patience)
    return training, Worker(patience) if device.startswith("cuda") else training


def _untraced(plan: Plan, cohort: Cohort, step: int) -> int:
    """Agent steps before a trace that is asked for after agent step `step`."""
    settings = plan.agent_settings(cohort.runs[0])
    return steps_before(step, settings.learning_starts, settings.rewire_multiple)


def _seeds(plan: Plan, cohort: Cohort) -> list[list[int]]:
    """Seeds of the training environments: [P][1], as off-policy agents learn from one each."""
    source = plan.seed_source
    return [[environment_seed(source, run.task, run.seed, "env")] for run in cohort.runs]


def _cursor_state(cursor: Cursor) -> State:
    """Where environments are, as a checkpoint holds it."""
    actions = [torch.from_numpy(actions) for actions in cursor.actions]
    return {"resets": list(cursor.resets), "actions": actions}


def _cursor(state: State) -> Cursor:
    """Inverse of `_cursor_state`."""
    actions = tuple(actions.numpy() for actions in state["actions"])
    return Cursor(tuple(state["resets"]), actions)
