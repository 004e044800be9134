"""The adapter around EnvPool: repeat, resets, ends, actions, cursor."""

import os

import numpy as np
import pytest

from envs.fingerprint import fingerprint
from envs.pool import Pool
from envs.tasks import TASKS
from envs.worker import Worker

CARTPOLE = TASKS["cartpole-swingup"]


def actions(task, steps, count, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (steps, count, task.action))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_task_steps_through_the_adapter(task):
    pool = Pool(task, [3, 4], threads=1)
    start = pool.reset()
    assert start.shape == (2, task.observation_size)
    step = pool.step(actions(task, 1, 2)[0])
    assert np.isfinite(step.observation).all()
    assert np.isfinite(step.reward).all()


def test_action_repeat_sums_rewards_and_shows_the_last_observation():
    once, twice = Pool(CARTPOLE, [5, 6], action_repeat=1), Pool(CARTPOLE, [5, 6], action_repeat=2)
    assert np.array_equal(once.reset(), twice.reset())
    for action in actions(CARTPOLE, 40, 2):
        first, second, both = once.step(action), once.step(action), twice.step(action)
        assert np.array_equal(both.observation, second.observation)
        assert np.array_equal(both.reward, first.reward + second.reward)


def test_an_end_shows_the_true_last_observation_and_the_next_episodes_first():
    pool, other = (
        Pool(CARTPOLE, [9], action_repeat=2),
        Pool(CARTPOLE, [9], action_repeat=2, auto_reset=False),
    )
    pool.reset()
    other.reset()
    script = actions(CARTPOLE, 500, 1)
    for action in script:
        step, unreset = pool.step(action), other.step(action)
    assert step.truncated.all()
    assert not step.terminated.any()
    assert np.array_equal(step.observation, unreset.observation)
    assert np.array_equal(step.start, other.reset())
    assert not np.array_equal(step.start, step.observation)


def test_the_stale_reward_of_a_reset_never_gets_out():
    """EnvPool gives the last episode's reward, or uninitialised memory, on the step that resets."""
    task = TASKS["walker-stand"]
    pool = Pool(task, [1], action_repeat=1)
    pool.reset()
    rewards = [float(pool.step(action).reward[0]) for action in actions(task, 1001, 1)]
    assert all(0 < reward <= 1 for reward in rewards)
    fresh = Pool(task, [1], action_repeat=1)
    fresh.skip_resets([1])
    fresh.reset()
    assert rewards[-1] == float(fresh.step(actions(task, 1001, 1)[-1]).reward[0]), (
        "the first step of the second episode"
    )


def test_an_episode_that_terminates_stops_within_the_repeat():
    task = TASKS["lqr-lqr_2_1"]
    pool = Pool(task, [0, 1, 2], action_repeat=2)
    pool.reset()
    ended, rewards = np.zeros(3, bool), np.zeros(3)
    for _ in range(500):
        step = pool.step(np.zeros((3, 1)))
        rewards += np.where(ended, 0, step.reward)
        ended |= step.terminated | step.truncated
    assert ended.all()


def test_the_kth_reset_depends_on_the_seed_and_k_alone():
    one, other = Pool(TASKS["humanoid-run"], [4]), Pool(TASKS["humanoid-run"], [4])
    one.reset()
    for action in actions(TASKS["humanoid-run"], 7, 1):
        one.step(action)
    other.reset()
    assert np.array_equal(one.reset(), other.reset())


def test_members_with_their_own_seeds_do_not_see_each_other():
    together, alone = Pool(CARTPOLE, [7, 8]), Pool(CARTPOLE, [8])
    assert np.array_equal(together.reset()[1:], alone.reset())
    for action in actions(CARTPOLE, 20, 2):
        assert np.array_equal(
            together.step(action).observation[1:], alone.step(action[1:]).observation
        )


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros((2, 3)), "shape"),
        (np.zeros(2), "shape"),
        (np.zeros((3, 1)), "shape"),
        (np.array([[0.0], [np.nan]]), r"environments \[1\] are not finite"),
        (np.array([[np.inf], [0.0]]), r"environments \[0\] are not finite"),
    ],
)
def test_a_bad_action_is_refused_and_the_pool_goes_on(action, message):
    pool = Pool(CARTPOLE, [1, 2])
    pool.reset()
    with pytest.raises(ValueError, match=message):
        pool.step(action)
    assert np.isfinite(pool.step(np.zeros((2, 1))).observation).all()


def test_actions_are_clipped():
    one, other = Pool(CARTPOLE, [1]), Pool(CARTPOLE, [1])
    one.reset()
    other.reset()
    assert np.array_equal(one.step([[50.0]]).observation, other.step([[1.0]]).observation)


@pytest.mark.parametrize("seeds", [[], [-1], [2**31]])
def test_a_bad_seed_is_refused(seeds):
    with pytest.raises(ValueError, match="seeds"):
        Pool(CARTPOLE, seeds)


def test_a_repeat_that_does_not_divide_the_episode_is_refused():
    with pytest.raises(ValueError, match="divisor"):
        Pool(CARTPOLE, [1], action_repeat=3)


def test_the_cursor_restores_a_pool_bitwise():
    task = TASKS["cheetah-run"]
    pool = Pool(task, [1, 2])
    pool.reset()
    pool.reset([1])
    for action in actions(task, 510, 2):
        step = pool.step(action)
    restored = Pool(task, [1, 2])
    assert np.array_equal(restored.restore(pool.cursor), step.start)
    for action in actions(task, 10, 2, seed=1):
        one, other = pool.step(action), restored.step(action)
        assert np.array_equal(one.observation, other.observation)
        assert np.array_equal(one.reward, other.reward)
    assert restored.cursor.resets == pool.cursor.resets == (2, 3)


def test_threads_stay_within_the_cpu_set(monkeypatch):
    made = {}
    monkeypatch.setattr(
        "envs.pool._make", lambda task, seeds, threads: made.update(threads=threads)
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    Pool(CARTPOLE, range(8))
    assert made["threads"] == 3
    Pool(CARTPOLE, range(2))
    assert made["threads"] == 2


def test_a_fingerprint_is_the_same_again_and_tells_tasks_apart():
    with Worker(patience=120.0) as worker:
        assert (
            fingerprint(CARTPOLE, worker)
            == fingerprint(CARTPOLE, worker)
            != fingerprint(TASKS["cartpole-balance"], worker)
        )
