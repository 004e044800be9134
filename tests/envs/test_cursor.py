"""Resets and the cursor: with the seeds, the whole state of a pool."""

import numpy as np

from envs.pool import Pool
from envs.tasks import TASKS
from helpers.pools import LQR, LQR_SEEDS, actions, assert_same, brake


def test_the_cursor_restores_a_pool_whose_episodes_terminated():
    pool = Pool(LQR, LQR_SEEDS)
    observation, terminations = pool.reset(), np.zeros((2, 2), dtype=int)
    for _ in range(450):
        step = pool.step(brake(observation))
        terminations += step.terminated
        observation = step.start
    assert terminations.any()

    restored = Pool(LQR, LQR_SEEDS)
    assert np.array_equal(restored.restore(pool.cursor), observation)
    assert restored.cursor.resets == pool.cursor.resets == tuple(1 + terminations.ravel())
    for _ in range(50):
        action = brake(observation)
        step = pool.step(action)
        assert_same(restored.step(action), step)
        observation = step.start


def test_the_kth_reset_depends_on_the_seed_and_k_alone():
    humanoid = TASKS["humanoid-run"]
    stepped, fresh = Pool(humanoid, [[4]]), Pool(humanoid, [[4]])
    stepped.reset()
    for action in actions(humanoid, 7, (1, 1)):
        stepped.step(action)
    fresh.reset()
    assert np.array_equal(stepped.reset(), fresh.reset())


def test_the_cursor_restores_a_pool_bitwise():
    task = TASKS["cheetah-run"]
    pool = Pool(task, [[1], [2]])
    pool.skip_resets([[0], [1]])
    pool.reset()
    for action in actions(task, 510, (2, 1)):
        step = pool.step(action)
    restored = Pool(task, [[1], [2]])
    assert np.array_equal(restored.restore(pool.cursor), step.start)
    for action in actions(task, 10, (2, 1), seed=1):
        assert_same(restored.step(action), pool.step(action))
    assert restored.cursor.resets == pool.cursor.resets == (2, 3)
