"""Rolls the policies of an entry out again, each on two streams.

The first is that of the claimed score: on a machine like the entry's, the same returns must come
out, to the bit. The second is fresh, and nobody could know it before: its mean is the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.protocol import Agent
from envs.tasks import TASKS
from envs.worker import Worker
from harness.entries.policies import Read, Unreadable, load_policies
from harness.entries.trained import cohorts
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
    runs = {Run(*run.identity): run for run in stated}
    rolled_out = list[RolledOut]()
    for cohort in cohorts(trial.plan, stated):
        finished = [run for run in cohort.runs if runs[run].finished]
        if not finished:
            continue
        policies = players(cohort.places, finished)
        agent = load_policies(read, trial.plan, policies)
        claimed = trial.plan.evaluation.final_episodes
        again = _returns(trial, agent, policies, "final", claimed)
        fresh = fresh_returns(trial, agent, policies)
        for run in finished:
            member = cohort.places.index(run)
            signed = runs[run].final_returns
            rolled_out.append(RolledOut(run, signed, again[member], fresh[member]))
    return rolled_out


def players(places: Sequence[Run], finished: Sequence[Run]) -> list[Run]:
    """Whose policy plays at each place of a cohort: where a run did not finish, another one stands
    in, so that the others keep their places."""
    return [run if run in finished else finished[0] for run in places]


def fresh_returns(trial: Trial, agent: Agent, runs: Sequence[Run]) -> list[tuple[float, ...]]:
    """Returns of the fresh episodes of each member of an agent that holds the policies of these
    runs."""
    episodes = trial.plan.evaluation.fresh_episodes
    return _returns(trial, agent, runs, f"reeval/{trial.nonce}", episodes)


def _returns(
    trial: Trial, agent: Agent, runs: Sequence[Run], word: str, episodes: int
) -> list[tuple[float, ...]]:
    """Returns of so many episodes of each run, on the streams that begin with `word`."""
    # Every environment of every run has a seed of its own. Shape: [P][E]
    words = [f"{word}/{slot}" for slot in range(trial.plan.evaluation.environments)]
    source = trial.plan.seed_source
    seeds = list[list[int]]()
    for run in runs:
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
    return [tuple(row.tolist()) for row in returns]
