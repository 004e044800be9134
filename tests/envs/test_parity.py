"""EnvPool against dm_control, bit by bit, from identical starts."""

import numpy as np
import pytest

from envs.oracle import Oracle
from envs.pool import Pool
from envs.tasks import TASKS

STEPS = 1000
ACTIONS = {"random": (lambda uniform: uniform, 11), "bang-bang": (np.sign, 12)}
"""What is made of uniform actions, and the seed of the start state."""


@pytest.mark.parametrize("kind", ACTIONS)
@pytest.mark.parametrize(
    "name",
    ["dog-run", "dog-walk", "humanoid-run", "humanoid-stand", "cheetah-run", "cartpole-swingup"],
)
def test_observations_and_rewards_are_bitwise_those_of_dm_control(name, kind):
    task, rng = TASKS[name], np.random.default_rng(5)
    shape, seed = ACTIONS[kind]
    pool, oracle = Pool(task, [seed], action_repeat=1), Oracle(task, seed)

    def exact(seen):
        return np.concatenate(
            [np.reshape(seen[k], (-1, w)) for k, w in task.observation], 1
        )  # float64

    assert np.array_equal(exact(pool._pool.reset(pool._ids)[0]), [oracle.reset()])
    rewarded = 0.0
    for at in range(STEPS):
        action = shape(rng.uniform(-1, 1, (1, task.action)))
        pool._pool.send(action, pool._ids)
        seen, reward, _, truncated, _ = pool._pool.recv()
        observation, expected = oracle.step(action[0])
        assert np.array_equal(exact(seen), [observation]), at
        assert np.array_equal(reward, [expected]), at
        rewarded += float(reward.sum())
    assert truncated.all(), "1000 steps are an episode"
    assert rewarded > 0
