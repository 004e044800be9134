"""Which start state an evaluation episode has, and that memory bounds change nothing."""

import numpy as np
import pytest
import torch

from envs.pool import Pool
from envs.tasks import TASKS
from envs.worker import Worker
from harness.training import evaluation
from harness.training.evaluation import Evaluator
from helpers.toy import Loop

TASK = TASKS["cartpole-swingup"]
SEEDS = [[11, 12], [21, 22], [31, 32]]


def bang_bang(observation):
    """A policy of the observation alone: no rounding by shape."""
    return torch.sign(observation[..., 1:2])


@pytest.fixture(scope="module")
def worker():
    with Worker(patience=120.0) as found:
        yield found


def by_hand(seed, resets):
    """The return of the episode that follows this many resets."""
    pool = Pool(TASK, [seed])
    pool.skip_resets([resets])
    seen, total = pool.reset(), 0.0
    for _ in range(500):
        step = pool.step(np.sign(seen[:, 1:2]))
        total, seen = total + float(step.reward[0]), step.observation
    return total


def test_episode_j_of_evaluation_e_runs_in_its_slot_from_its_reset(worker):
    evaluator = Evaluator(worker, TASK, SEEDS, episodes=4, action_repeat=2)
    first, second = evaluator(bang_bang, 0), evaluator(bang_bang, 1)
    for number, returns in ((0, first), (1, second)):
        for member, slots in enumerate(SEEDS):
            for episode in range(4):
                expected = by_hand(slots[episode % 2], number * 2 + episode // 2)
                assert returns[member, episode] == expected


def test_how_many_are_measured_at_a_time_changes_nothing(worker, monkeypatch):
    together = Evaluator(worker, TASK, SEEDS, episodes=4, action_repeat=2)
    monkeypatch.setattr(evaluation, "MEMORY_MIB", 13 * 2)
    one_by_one = Evaluator(worker, TASK, SEEDS, episodes=4, action_repeat=2)
    assert (len(together.groups), len(one_by_one.groups)) == (1, 3)
    assert np.array_equal(together(bang_bang, 3), one_by_one(bang_bang, 3))


def test_an_episode_that_terminates_is_not_followed_by_another(worker):
    task = TASKS["lqr-lqr_2_1"]

    def still(observation):
        return torch.zeros(*observation.shape[:2], 1)

    evaluator = Evaluator(worker, task, [[1, 2]], episodes=4, action_repeat=2)
    assert np.isfinite(evaluator(still, 0)).all()
    assert np.array_equal(
        Evaluator(worker, task, [[1, 2]], 4, 2)(still, 0),
        Evaluator(worker, task, [[1, 2]], 4, 2)(still, 0),
    )


def test_an_evaluation_under_way_beside_other_steps_measures_the_same(worker):
    evaluator = Evaluator(worker, TASK, SEEDS, episodes=4, action_repeat=2)
    alone = evaluator(bang_bang, 5)
    other = worker.pool(TASK, [1, 2], 2)
    other.reset()
    expected = [other.step(np.zeros((2, 1))).reward.tolist() for _ in range(20)]
    again = worker.pool(TASK, [1, 2], 2)
    again.reset()
    measuring, found = evaluator.begin(bang_bang, 5), []
    for _ in range(20):
        again.send(np.zeros((2, 1)))
        assert not measuring.advance(), "answers of both pools are told apart"
        found.append(again.recv().reward.tolist())
    assert found == expected
    assert np.array_equal(measuring.finish(), alone)
    assert measuring.advance()


def test_a_snapshot_is_the_policy_of_its_moment():
    loop = Loop([0, 1], ["dense", "mst"]).run(90)
    seen = torch.randn(2, 3, 7)
    before, policy = loop.agent.act(seen, explore=False), loop.agent.snapshot()
    loop.run(30)
    loop.agent.freeze(0)
    assert torch.equal(policy(seen), before)
    assert not torch.equal(loop.agent.act(seen, explore=False)[1], before[1])
    assert not loop.agent.snapshot()(seen)[0].any()
