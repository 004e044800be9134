"""EnvPool against dm_control, bit by bit, from identical starts."""

import numpy as np
import pytest

from envs.oracle import Oracle
from envs.pool import Pool
from envs.tasks import TASKS

STEPS = 1000
SEEDS = (11, 12)
ACTIONS = {"random": lambda uniform: uniform, "bang-bang": np.sign}


@pytest.mark.parametrize("kind", ACTIONS)
@pytest.mark.parametrize("name", ["dog-run", "dog-walk", "humanoid-run", "humanoid-stand", "cheetah-run", "cartpole-swingup"])
def test_observations_and_rewards_are_bitwise_those_of_dm_control(name, kind):
    task, rng = TASKS[name], np.random.default_rng(5)
    pool = Pool(task, SEEDS, action_repeat=1)

    def exact(seen):
        return np.concatenate([np.reshape(seen[k], (-1, w)) for k, w in task.observation], 1)  # float64

    oracles = [Oracle(task, seed) for seed in SEEDS]
    assert np.array_equal(exact(pool._pool.reset(pool._ids)[0]), [oracle.reset() for oracle in oracles])
    rewarded = 0.0
    for at in range(STEPS):
        action = ACTIONS[kind](rng.uniform(-1, 1, (2, task.action)))
        pool._pool.send(action, pool._ids)
        seen, reward, _, truncated, _ = pool._pool.recv()
        expected = [oracle.step(row) for oracle, row in zip(oracles, action, strict=True)]
        assert np.array_equal(exact(seen), [observation for observation, _ in expected]), at
        assert np.array_equal(reward, [value for _, value in expected]), at
        rewarded += float(reward.sum())
    assert truncated.all(), "1000 steps are an episode"
    assert rewarded > 0
