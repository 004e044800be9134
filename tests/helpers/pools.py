"""What tests of pools share: a task of each kind, scripts of actions, and equality."""

import dataclasses

import numpy as np

from envs.spec import Action
from envs.tasks import TASKS

CARTPOLE = TASKS["cartpole-swingup"]


LQR = dataclasses.replace(TASKS["lqr-lqr_2_1"], action_spec=Action(1, -1000.0, 1000.0))
"""A task that ends once its bodies stand still at the origin. Actions in [-1, 1] are too weak to
get there within the time limit; EnvPool itself takes any."""


LQR_SEEDS = [[0, 4], [2, 1]]


def actions(task, steps, shape, seed=0):
    """A script [steps, P, E, act]."""
    return np.random.default_rng(seed).uniform(-1, 1, (steps, *shape, task.action))


def brake(observation):
    """Brings LQR to rest: a gain from the Riccati equation, [P, E, obs] -> [P, E, act].

    In float64 and for each environment alone, so that nothing rounds by shape.
    """
    gain = np.array([5.0, -34.0, 32.0, -5.0])
    return -(observation.astype(float) * gain).sum(-1, keepdims=True)


def assert_same(step, expected, of=...):
    """Every array of `step` equals that of `expected`, whose rows `of` are compared."""
    for field in dataclasses.fields(step):
        array = getattr(step, field.name)
        assert np.array_equal(array, getattr(expected, field.name)[of]), field.name
