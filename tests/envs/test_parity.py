"""EnvPool against dm_control, bit by bit, from identical starts."""

import numpy as np
import pytest

from envs.oracle import Oracle
from envs.pool import Pool
from envs.tasks import TASKS

STEPS = 1000
SCRIPTS = {"random": (lambda uniform: uniform, 11), "bang-bang": (np.sign, 12)}
"""What is made of uniform actions, and the seed of the start state."""


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    "name",
    ["dog-run", "dog-walk", "humanoid-run", "humanoid-stand", "cheetah-run", "cartpole-swingup"],
)
def test_observations_and_rewards_are_bitwise_those_of_dm_control(name, script):
    task = TASKS[name]
    shaped, seed = SCRIPTS[script]
    uniform = np.random.default_rng(5)
    pool = Pool(task, [[seed]], action_repeat=1)
    oracle = Oracle(task, seed)

    def joined(observation):
        """In float64, as EnvPool gives them."""
        keys = task.observation_spec.keys
        return np.concatenate([np.reshape(observation[key], (-1, size)) for key, size in keys], 1)

    assert np.array_equal(joined(pool._pool.reset(pool._ids)[0]), [oracle.reset()])
    total = 0.0
    for number in range(STEPS):
        action = shaped(uniform.uniform(-1, 1, (1, task.action)))
        pool._pool.send(action, pool._ids)
        observation, reward, _, truncated, _ = pool._pool.recv()
        expected_observation, expected_reward = oracle.step(action[0])
        assert np.array_equal(joined(observation), [expected_observation]), number
        assert np.array_equal(reward, [expected_reward]), number
        total += float(reward.sum())
    assert truncated.all(), "1000 steps are an episode"
    assert total > 0
