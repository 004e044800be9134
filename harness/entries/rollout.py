"""Rolls the policies of an entry out again, each on two streams.

The first is that of the claimed score: on a machine like the entry's, the same returns must come
out, to the bit. The second is fresh, and nobody could know it before: its mean is the score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.protocol import Agent
from envs.tasks import TASKS
from envs.worker import Worker
from harness.entries.policies import Read, Unreadable, load_policies
from harness.planning.cohorts import Program, program
from harness.planning.plan import Plan
from harness.seeding import environment_seed
from harness.training.evaluation import Evaluator
from leaderboard.formats.catalogue import return_range
from leaderboard.formats.run import Run, StatedRun
from leaderboard.statistics.claimed import Episodes


@dataclass(frozen=True)
class Trial:
    """What all rollouts of a re-evaluation share."""

    plan: Plan
    worker: Worker
    nonce: str
    """Names the fresh streams."""


@dataclass(frozen=True)
class RolledOut:
    """One policy, rolled out again."""

    run: Run
    claimed: tuple[float, ...]
    """Return of each claimed episode."""
    again: tuple[float, ...]
    """The same episodes, as they came out here."""
    fresh: tuple[float, ...]
    """Return of each fresh episode."""

    @property
    def repeated(self) -> bool:
        """Whether the claimed returns came out again, to the bit."""
        return self.again == self.claimed

    def episodes(self) -> Episodes:
        """What the tests of a claim compare."""
        low, high = return_range(self.run.task)
        return Episodes(self.run.name, self.run.group, self.claimed, self.fresh, low, high)


def roll_out(trial: Trial, read: Read, stated: Sequence[StatedRun]) -> list[RolledOut]:
    """Rolls the policy of every finished run out, on both streams. `read`: reads a file of the
    entry. Raises Unreadable for policies that cannot be rolled out."""
    rolled_out = list[RolledOut]()
    for members, runs in _groups(trial.plan, stated):
        named = [Run(run.task, run.regime, run.seed) for run in runs]
        agent = load_policies(read, trial.plan, named, members)
        again = _returns(trial, agent, named, members, "final")
        fresh = fresh_returns(trial, agent, named, members)
        for index, run in enumerate(runs):
            outcome = RolledOut(named[index], run.final_returns, again[index], fresh[index])
            rolled_out.append(outcome)
    return rolled_out


def fresh_returns(
    trial: Trial, agent: Agent, runs: list[Run], members: int
) -> list[tuple[float, ...]]:
    """Returns of each run's fresh episodes, by an agent that holds the policies of these runs."""
    return _returns(trial, agent, runs, members, f"reeval/{trial.nonce}")


def _groups(plan: Plan, stated: Sequence[StatedRun]) -> Iterator[tuple[int, list[StatedRun]]]:
    """Finished runs by their number of members and their program: what was trained as one program
    is rolled out as one."""
    alike: dict[tuple[int, Program], list[StatedRun]] = {}
    for run in stated:
        if run.finished:
            trained_as = (run.members, program(plan, Run(run.task, run.regime, run.seed)))
            alike.setdefault(trained_as, []).append(run)

    # A group may be larger than one cohort was.
    for (members, _), runs in alike.items():
        for first in range(0, len(runs), members):
            yield members, runs[first : first + members]


def _returns(
    trial: Trial, agent: Agent, runs: list[Run], members: int, word: str
) -> list[tuple[float, ...]]:
    """Returns of each run's episodes on a stream: the claimed ones (`final`), or fresh ones."""
    evaluation = trial.plan.evaluation
    claimed = word == "final"
    episodes = evaluation.final_episodes if claimed else evaluation.fresh_episodes

    # The same number of members rounds the same way. Every environment of every run has a seed of
    # its own. Shape: [P][E]
    words = [f"{word}/{slot}" for slot in range(evaluation.environments)]
    source = trial.plan.seed_source
    seeds = list[list[int]]()
    for member in range(members):
        run = runs[member % len(runs)]
        seeds.append([environment_seed(source, run.task, run.seed, stream) for stream in words])

    task = TASKS[runs[0].task]
    repeat = trial.plan.budget.action_repeat
    evaluator = Evaluator(trial.worker, task, seeds, episodes, repeat)
    try:
        returns = evaluator(agent.snapshot(), 0)
    except ValueError as error:
        # Weights may be finite and what they compute may not be.
        raise Unreadable(f"{runs[0].name}: its policy cannot act: {error}") from None
    evaluator.close()
    return [tuple(returns[member].tolist()) for member in range(len(runs))]
