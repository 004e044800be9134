"""The adapter around EnvPool: shapes, repeat, resets, ends, actions, cursor."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import envpool
import numpy as np
import pytest

from envs.fingerprint import fingerprint
from envs.pool import Pool
from envs.spec import Action
from envs.tasks import TASKS
from envs.worker import Worker
from helpers.pools import CARTPOLE, LQR, LQR_SEEDS, actions, assert_same, brake

EVERYDAY = ("cartpole-swingup", "dog-run", "humanoid-run", "lqr-lqr_2_1", "quadruped-escape")


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(task, id=name, marks=() if name in EVERYDAY else pytest.mark.slow)
        for name, task in TASKS.items()
    ],
)
def test_every_task_steps_through_the_adapter_in_its_own_shapes(task):
    pool = Pool(task, [[3, 4], [5, 6], [7, 8]], threads=1)
    observations = (3, 2, *task.observation_spec.shape)

    start = pool.reset()
    assert (start.shape, start.dtype) == (observations, task.observation_spec.dtype)

    step = pool.step(actions(task, 1, (3, 2))[0])
    assert step.observation.shape == step.start.shape == observations
    assert step.observation.dtype == step.start.dtype == task.observation_spec.dtype
    assert step.reward.shape == step.terminated.shape == step.truncated.shape == (3, 2)
    assert np.isfinite(step.observation).all()
    assert np.isfinite(step.reward).all()


def test_two_environments_a_member_are_two_pools_of_one():
    """Bitwise, over an episode's end and from a restored cursor."""
    both = Pool(CARTPOLE, [[1, 2], [3, 4]])
    singles = [Pool(CARTPOLE, [[1], [3]]), Pool(CARTPOLE, [[2], [4]])]
    assert np.array_equal(both.reset(), np.concatenate([pool.reset() for pool in singles], 1))

    script = actions(CARTPOLE, 510, (2, 2))
    for action in script:
        step = both.step(action)
        for environment, pool in enumerate(singles):
            column = np.s_[:, environment : environment + 1]
            assert_same(pool.step(action[column]), step, column)

    restored = Pool(CARTPOLE, [[1, 2], [3, 4]])
    assert np.array_equal(restored.restore(both.cursor), step.start)
    for action in script[:10]:
        step = restored.step(action)
        for environment, pool in enumerate(singles):
            column = np.s_[:, environment : environment + 1]
            assert_same(pool.step(action[column]), step, column)


def test_action_repeat_sums_rewards_and_shows_the_last_observation():
    once = Pool(CARTPOLE, [[5], [6]], action_repeat=1)
    twice = Pool(CARTPOLE, [[5], [6]], action_repeat=2)
    assert np.array_equal(once.reset(), twice.reset())
    for action in actions(CARTPOLE, 40, (2, 1)):
        first, second, both = once.step(action), once.step(action), twice.step(action)
        assert np.array_equal(both.observation, second.observation)
        assert np.array_equal(both.reward, first.reward + second.reward)


def test_an_action_is_repeated_as_the_task_says_unless_told_otherwise():
    assert CARTPOLE.action_repeat == 2
    own, twice, once = Pool(CARTPOLE, [[5]]), Pool(CARTPOLE, [[5]], 2), Pool(CARTPOLE, [[5]], 1)
    for pool in (own, twice, once):
        pool.reset()
    action = actions(CARTPOLE, 1, (1, 1))[0]
    step = own.step(action)
    assert_same(step, twice.step(action))
    assert not np.array_equal(step.observation, once.step(action).observation)


def test_an_end_shows_the_true_last_observation_and_the_next_episodes_first():
    pool = Pool(CARTPOLE, [[9]], action_repeat=2)
    by_hand = Pool(CARTPOLE, [[9]], action_repeat=2, auto_reset=False)
    pool.reset()
    by_hand.reset()
    for action in actions(CARTPOLE, 500, (1, 1)):
        step, unreset = pool.step(action), by_hand.step(action)
    assert step.truncated.all()
    assert not step.terminated.any()
    assert np.array_equal(step.observation, unreset.observation)
    assert np.array_equal(step.start, by_hand.reset())
    assert not np.array_equal(step.start, step.observation)


def test_the_stale_reward_of_a_reset_never_gets_out():
    """EnvPool gives the last episode's reward, or uninitialised memory, on the step that resets."""
    task = TASKS["walker-stand"]
    pool = Pool(task, [[1]], action_repeat=1)
    pool.reset()
    script = actions(task, 1001, (1, 1))
    rewards = [float(pool.step(action).reward[0, 0]) for action in script]
    assert all(0 < reward <= 1 for reward in rewards)
    fresh = Pool(task, [[1]], action_repeat=1)
    fresh.skip_resets(1)
    fresh.reset()
    assert rewards[-1] == float(fresh.step(script[-1]).reward[0, 0]), (
        "the first step of the second episode"
    )


def test_an_episode_that_cannot_terminate_within_its_bounds_runs_into_its_time_limit():
    pool = Pool(TASKS["lqr-lqr_2_1"], [[0], [1], [2]], action_repeat=2, auto_reset=False)
    pool.reset()
    for _ in range(500):
        step = pool.step(np.zeros((3, 1, 1)))
    assert step.truncated.all()
    assert not step.terminated.any()


def test_an_episode_that_terminates_stops_within_the_repeat_and_the_next_one_begins():
    """Each environment ends at a step of its own; the simulator alone, unrepeated, says where."""
    pool = Pool(LQR, LQR_SEEDS, action_repeat=2)
    once = Pool(LQR, LQR_SEEDS, action_repeat=1, auto_reset=False)
    second = Pool(LQR, LQR_SEEDS)
    second.skip_resets(1)
    next_starts = second.reset()

    observation = pool.reset()
    once.reset()
    running = np.ones((2, 2), dtype=bool)
    inside = np.zeros((2, 2), dtype=bool)
    for _ in range(500):
        action = brake(observation)
        step = pool.step(action)

        # The same agent step by hand: step again only where the first step ended nothing.
        first = once.step(action, running)
        unfinished = running & ~first.terminated
        last = once.step(action, unfinished)
        ended = first.terminated | last.terminated
        assert np.array_equal(step.terminated[running], ended[running])
        assert not step.truncated[running].any()
        reward = first.reward + last.reward
        assert np.array_equal(step.reward[running], reward[running])
        true_last = np.where(unfinished[..., None], last.observation, first.observation)
        assert np.array_equal(step.observation[running], true_last[running])

        # What is acted on next: the second episode's start where the first one ended.
        expected = np.where(ended[..., None], next_starts, true_last)
        assert np.array_equal(step.start[running], expected[running])
        assert (np.linalg.norm(step.observation[running & ended], axis=-1) < 1e-6).all()

        inside |= running & first.terminated
        running &= ~ended
        observation = step.start
        if not running.any():
            break
    assert not running.any(), "all episodes terminated before their time limit"
    assert inside.any(), "one ended with the first of its repeated steps"
    assert not inside.all(), "one ended with the second"


def test_members_with_their_own_seeds_do_not_see_each_other():
    together, alone = Pool(CARTPOLE, [[7], [8]]), Pool(CARTPOLE, [[8]])
    assert np.array_equal(together.reset()[1:], alone.reset())
    for action in actions(CARTPOLE, 20, (2, 1)):
        step = together.step(action)
        assert_same(alone.step(action[1:]), step, np.s_[1:])


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros((2, 1, 3)), "shape"),
        (np.zeros((2, 1)), "shape"),
        (np.zeros(2), "shape"),
        (np.zeros((3, 1, 1)), "shape"),
        (np.zeros((1, 2, 1)), "shape"),
        (np.array([[[0.0]], [[np.nan]]]), r"environments \[\[1, 0\]\] .* are not finite"),
        (np.array([[[np.inf]], [[0.0]]]), r"environments \[\[0, 0\]\] .* are not finite"),
    ],
)
def test_a_bad_action_is_refused_and_the_pool_goes_on(action, message):
    pool = Pool(CARTPOLE, [[1], [2]])
    pool.reset()
    with pytest.raises(ValueError, match=message):
        pool.step(action)
    assert np.isfinite(pool.step(np.zeros((2, 1, 1))).observation).all()


def test_actions_are_clipped_to_the_bounds_of_the_task():
    narrow = dataclasses.replace(CARTPOLE, action_spec=Action(1, -0.5, 0.25))
    for task, sent, low, high in ((CARTPOLE, 50.0, -1.0, 1.0), (narrow, 0.75, -0.5, 0.25)):
        for action, clipped in ((sent, high), (-sent, low)):
            outside, inside = Pool(task, [[1]]), Pool(task, [[1]])
            outside.reset()
            inside.reset()
            assert_same(outside.step([[[action]]]), inside.step([[[clipped]]]))


@pytest.mark.parametrize("seeds", [[], [[]], [[-1]], [[2**31]], [[1, 2], [3]], [[1], []]])
def test_bad_seeds_are_refused(seeds):
    with pytest.raises(ValueError, match="seeds"):
        Pool(CARTPOLE, seeds)


def test_a_repeat_that_does_not_divide_the_episode_is_refused():
    with pytest.raises(ValueError, match="divisor"):
        Pool(CARTPOLE, [[1]], action_repeat=3)


def test_threads_stay_within_the_cpu_set(monkeypatch):
    threads = []
    make = envpool.make_gymnasium

    def counted(*arguments, num_threads, **options):
        threads.append(num_threads)
        return make(*arguments, num_threads=1, **options)

    monkeypatch.setattr(envpool, "make_gymnasium", counted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    Pool(CARTPOLE, [range(4), range(4)])
    Pool(CARTPOLE, [range(2)])
    assert threads == [3, 2]


def test_a_fingerprint_is_the_same_again_and_tells_tasks_apart():
    with Worker(patience=120.0) as worker:
        assert (
            fingerprint(CARTPOLE, worker)
            == fingerprint(CARTPOLE, worker)
            != fingerprint(TASKS["cartpole-balance"], worker)
        )


def test_a_worker_gives_the_memory_of_a_closed_pool_back():
    def mebibytes():
        """Of its own, without those of files that it has mapped."""
        status = Path(f"/proc/{worker.pid}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) / 2**10

    with Worker(patience=120.0) as worker:
        worker.pool(CARTPOLE, [[0]]).close()
        empty = mebibytes()
        pool = worker.pool(TASKS["quadruped-run"], [range(10)])
        pool.reset()
        held = mebibytes() - empty
        pool.close()
        left = mebibytes() - empty
    assert held > 50.0
    assert left < held / 2, "without giving back nine tenths are left"


def test_a_process_with_a_pool_loads_nothing_of_other_environments():
    code = (
        "import sys; from envs.pool import Pool; from envs.tasks import TASKS;"
        "Pool(TASKS['cartpole-swingup'], [[1]]);"
        "sys.exit(', '.join({'envpool.jumanji', 'matplotlib'} & {*sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
