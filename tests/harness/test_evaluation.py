"""Which start state an evaluation episode has, where it ends, and that memory changes nothing."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from envs.pool import Pool
from envs.tasks import TASKS
from envs.worker import Worker
from harness.training.evaluation import Evaluator
from helpers.pools import LQR, LQR_SEEDS, brake
from helpers.toy import Loop

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TASK = TASKS["cartpole-swingup"]
SEEDS = [[11, 12], [21, 22], [31, 32]]


def bang_bang(observation):
    """A policy of the observation alone: no rounding by shape."""
    return torch.sign(observation[..., 1:2])


@pytest.fixture(scope="module")
def worker():
    """A process that holds pools."""
    with Worker(patience=120.0) as worker:
        yield worker


def by_hand(seed, resets):
    """The return of the episode that follows this many resets."""
    pool = Pool(TASK, [[seed]])
    pool.skip_resets(resets)
    observation, total = pool.reset(), 0.0
    for _ in range(500):
        step = pool.step(np.sign(observation[..., 1:2]))
        total += float(step.reward[0, 0])
        observation = step.observation
    return total


def test_episode_j_of_evaluation_e_runs_in_its_slot_from_its_reset(worker):
    evaluator = Evaluator(worker, TASK, SEEDS, episodes=4, action_repeat=2)
    first = evaluator(bang_bang, 0)
    second = evaluator(bang_bang, 1)
    for number, returns in ((0, first), (1, second)):
        for member, slots in enumerate(SEEDS):
            for episode in range(4):
                expected = by_hand(slots[episode % 2], number * 2 + episode // 2)
                assert returns[member, episode] == expected


def test_how_many_are_measured_at_a_time_changes_nothing(worker):
    together = Evaluator(worker, TASK, SEEDS, episodes=4, action_repeat=2)
    one_by_one = Evaluator(worker, TASK, SEEDS, episodes=4, action_repeat=2, memory_mib=13 * 2)
    assert (len(together.groups), len(one_by_one.groups)) == (1, 3)
    assert np.array_equal(together(bang_bang, 3), one_by_one(bang_bang, 3))


def braking(observation):
    """Brings LQR to rest, where its episodes end."""
    return torch.from_numpy(brake(observation.numpy()))


def until_termination(task, seed, resets):
    """Return and agent steps of the episode that follows this many resets, in a pool of its own."""
    pool = Pool(task, [[seed]])
    pool.skip_resets(resets)
    observation, rewards = pool.reset(), []
    while True:
        step = pool.step(brake(observation))
        rewards.append(float(step.reward[0, 0]))
        observation = step.observation
        if step.terminated.all() or step.truncated.all():
            return sum(rewards), len(rewards)


def test_the_return_of_an_episode_ends_where_it_terminates(worker):
    """No second episode is added, and episodes that end earlier wait for the others."""
    expected = np.zeros((2, 4))
    lengths = np.zeros((2, 4), dtype=int)
    for member, slots in enumerate(LQR_SEEDS):
        for episode in range(4):
            total, length = until_termination(LQR, slots[episode % 2], 2 + episode // 2)
            expected[member, episode] = total
            lengths[member, episode] = length
    assert (lengths < 500).any(), "some terminate"
    assert len(set(lengths.ravel())) > 2, "at steps of their own"

    together = Evaluator(worker, LQR, LQR_SEEDS, episodes=4, action_repeat=2)
    assert np.array_equal(together(braking, 1), expected)
    one_by_one = Evaluator(worker, LQR, LQR_SEEDS, episodes=4, action_repeat=2, memory_mib=1)
    assert (len(together.groups), len(one_by_one.groups)) == (1, 2)
    assert np.array_equal(one_by_one(braking, 1), expected)


def test_on_a_task_that_may_terminate_and_does_not_episodes_last_until_their_time_limit(worker):
    task = TASKS["lqr-lqr_2_1"]
    calls = []

    def still(observation):
        calls.append(observation.shape)
        return torch.zeros(*observation.shape[:2], 1)

    evaluator = Evaluator(worker, task, [[1, 2]], episodes=4, action_repeat=2)
    returns = evaluator(still, 0)
    assert calls == [(1, 2, 4)] * 1000, "two rounds of 500 agent steps"
    assert np.isfinite(returns).all()
    again = Evaluator(worker, task, [[1, 2]], episodes=4, action_repeat=2)
    assert np.array_equal(again(still, 0), returns)


def test_an_evaluation_under_way_beside_other_steps_measures_the_same(worker):
    evaluator = Evaluator(worker, TASK, SEEDS, episodes=4, action_repeat=2)
    alone = evaluator(bang_bang, 5)
    undisturbed = worker.pool(TASK, [[1], [2]])
    undisturbed.reset()
    expected = [undisturbed.step(np.zeros((2, 1, 1))).reward.tolist() for _ in range(20)]

    again = worker.pool(TASK, [[1], [2]])
    again.reset()
    measuring, rewards = evaluator.begin(bang_bang, 5), []
    for _ in range(20):
        again.send(np.zeros((2, 1, 1)))
        assert not measuring.advance(), "answers of both pools are told apart"
        rewards.append(again.recv().reward.tolist())
    assert rewards == expected
    assert np.array_equal(measuring.finish(), alone)
    assert measuring.advance()


@pytest.mark.parametrize(("every", "waits"), [(2500, False), (700, True)])
def test_on_a_gpu_learning_waits_for_an_evaluation_only_once_an_interval_is_over(every, waits):
    """Twenty dogs, in virtual time: benchmarks/evaluation_beside.py."""
    beside = runpy.run_path(str(BENCHMARKS / "evaluation_beside.py"))
    beside["interval"].__globals__["EVERY"] = every
    world = beside["World"](learn_ms=3.4, policy_ms=2.0)
    beside["interval"](20, world)
    assert world.in_line == 0.0
    assert (world.at_the_end > 0.0) == waits


def test_a_snapshot_is_the_policy_of_its_moment():
    loop = Loop([0, 1], ["dense", "mst"]).run(90)
    seen = torch.randn(2, 3, 7)
    before, policy = loop.agent.act(seen, explore=False), loop.agent.snapshot()
    loop.run(30)
    loop.agent.freeze(0)
    assert torch.equal(policy(seen), before)
    assert not torch.equal(loop.agent.act(seen, explore=False)[1], before[1])
    assert not loop.agent.snapshot()(seen)[0].any()
