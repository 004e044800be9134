"""The task catalogue: every row states what a simulator does, and what it costs."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from envs.oracle import Oracle
from envs.pool import Pool
from envs.spec import Task
from envs.tasks.dm_control import TASKS

OWN_BOUNDS = ("lqr", "quadruped")
"""Domains whose actuators have bounds other than -1 and 1. Agents choose from -1 to 1 in all."""
UNDRAWN_STARTS = ("manipulator", "stacker")
"""Domains whose starts draw integers, which the oracle's random numbers do not cover."""


def load(task):
    os.environ.setdefault("MUJOCO_GL", "disable")
    from dm_control import suite

    return suite.load(task.domain, task.task, task_kwargs={"random": 0})


def test_the_catalogue_is_the_suite_of_dm_control():
    os.environ.setdefault("MUJOCO_GL", "disable")
    from dm_control import suite

    assert {(task.domain, task.task) for task in TASKS.values()} == set(suite.ALL_TASKS)
    assert len(TASKS) == 51
    assert (TASKS["dog-run"].observation_size, TASKS["dog-run"].action) == (223, 38)
    assert (TASKS["humanoid-run"].observation_size, TASKS["humanoid-run"].action) == (67, 21)
    assert sum(bool(task.differs) for task in TASKS.values()) == 5


def test_every_task_has_dm_controls_keys_widths_and_action_bounds():
    for task in TASKS.values():
        if task.name == "quadruped-escape":
            continue  # dm_control itself needs a renderer to build its terrain
        environment = load(task)

        # What an agent sees, key by key.
        keys = environment.observation_spec().items()
        widths = tuple((key, int(np.prod(array.shape))) for key, array in keys)
        assert task.observation == task.observation_spec.keys == widths, task.name
        assert task.observation_size == task.observation_spec.size, task.name
        assert task.observation_size == sum(width for _, width in widths), task.name

        # What an agent may do.
        action = environment.action_spec()
        assert (task.action,) == (task.action_spec.size,) == action.shape, task.name
        assert (task.action_spec.low, task.action_spec.high) == (-1.0, 1.0), task.name
        if task.domain not in OWN_BOUNDS:
            assert (action.minimum == -1.0).all(), task.name
            assert (action.maximum == 1.0).all(), task.name


EVERYDAY = ("acrobot-swingup", "fish-swim", "point_mass-hard")
COMPARED = [
    pytest.param(task, id=name, marks=() if name in EVERYDAY else pytest.mark.slow)
    for name, task in TASKS.items()
    if not task.differs and task.domain not in UNDRAWN_STARTS
]


@pytest.mark.parametrize("task", COMPARED)
def test_the_first_steps_of_a_task_are_those_of_dm_control(task):
    """Three tasks every day, beside those of test_parity.py; all of them in `make test-all`.

    One environment step is as many physics steps in EnvPool as in dm_control."""
    pool, oracle = Pool(task, [[3]], action_repeat=1, threads=1), Oracle(task, 3)
    np.testing.assert_allclose(pool.reset()[0, 0], oracle.reset(), atol=1e-5)

    for action in np.random.default_rng(1).uniform(-1, 1, (3, task.action)):
        step = pool.step(action[None, None])
        observation, reward = oracle.step(action)
        np.testing.assert_allclose(step.observation[0, 0], observation, atol=1e-5)
        np.testing.assert_allclose(step.reward[0, 0], reward, atol=1e-5)


def test_costs_are_stated_by_every_row_and_are_those_that_cohorts_were_sized_with():
    costs = {task.name: (task.memory_mib, task.step_ms) for task in TASKS.values()}
    heavy = {
        "dog": (90, 0.40),
        "humanoid": (13, 0.14),
    }
    assert costs == {task.name: heavy.get(task.domain, (13, 0.05)) for task in TASKS.values()}


def test_a_new_task_inherits_no_cost_of_another():
    defaults = {
        field.name for field in dataclasses.fields(Task) if field.default is not dataclasses.MISSING
    }
    assert defaults == {"differs"}


def test_env_ids_are_camel_case_of_dm_controls_names():
    ids = {
        TASKS[name].env_id
        for name in ("humanoid_CMU-run", "lqr-lqr_2_1", "swimmer-swimmer6", "ball_in_cup-catch")
    }
    assert ids == {"HumanoidCMURun-v1", "LqrLqr21-v1", "SwimmerSwimmer6-v1", "BallInCupCatch-v1"}


def test_learning_code_reads_the_catalogue_without_a_simulator_or_torch():
    script = "import sys, envs.tasks; print(*sys.modules)"
    python = [sys.executable, "-P", "-c", script]
    modules = subprocess.run(python, capture_output=True, text=True, check=True).stdout.split()
    assert "envs.tasks" in modules
    assert not {"torch", "envpool", "dm_control", "mujoco"} & set(modules)
