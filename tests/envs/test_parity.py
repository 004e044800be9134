"""EnvPool against dm_control, bit by bit, from identical starts."""

import itertools

import envpool
import numpy as np
import pytest

from envs.oracle import Oracle
from envs.tasks import TASKS

STEPS = 1000
SCRIPTS = {"random": (lambda uniform: uniform, 11), "bang-bang": (np.sign, 12)}
"""What is made of uniform actions, and the seed of the start state."""


EVERYDAY = (("dog-run", "random"), ("cartpole-swingup", "bang-bang"))
OTHER_DAYS = (
    ("dog-run", "bang-bang"),
    ("cartpole-swingup", "random"),
    *itertools.product(("dog-walk", "humanoid-run", "humanoid-stand", "cheetah-run"), SCRIPTS),
)


@pytest.mark.parametrize(
    ("name", "script"),
    [*EVERYDAY, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in OTHER_DAYS)],
)
def test_observations_and_rewards_are_bitwise_those_of_dm_control(name, script):
    """EnvPool's own float64 numbers, which the adapter gives on in float32."""
    task = TASKS[name]
    shaped, seed = SCRIPTS[script]
    uniform = np.random.default_rng(5)
    pool = envpool.make_gymnasium(task.env_id, num_envs=1, seed=[seed], num_threads=1)
    oracle = Oracle(task, seed)

    def joined(observation):
        """The listed keys side by side: [1, obs]."""
        keys = task.observation_spec.keys
        return np.concatenate([np.reshape(observation[key], (-1, size)) for key, size in keys], 1)

    assert np.array_equal(joined(pool.reset()[0]), [oracle.reset()])
    total = 0.0
    for number in range(STEPS):
        action = shaped(uniform.uniform(-1, 1, (1, task.action)))
        observation, reward, _, truncated, _ = pool.step(action)
        expected_observation, expected_reward = oracle.step(action[0])
        assert np.array_equal(joined(observation), [expected_observation]), number
        assert np.array_equal(reward, [expected_reward]), number
        total += float(reward.sum())
    assert truncated.all(), "1000 steps are an episode"
    assert total > 0
