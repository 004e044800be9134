"""`load_policy`: the policies of an entry in the hands of other programs."""

import numpy as np
import pytest
import torch

from envs.worker import Worker
from harness import load_policy
from harness.entries.verified import Refused
from harness.errors import UserError
from harness.planning.plan import read_plan
from harness.seeding import environment_seed
from helpers.forge import statement_of

RUN = {"task": "cartpole-swingup", "regime": "mst", "seed": 0}


@pytest.fixture(scope="module")
def policy(tiny_entry):
    return load_policy(tiny_entry, **RUN)


def stated(entry):
    """What an entry states of RUN."""
    runs = statement_of(entry)["predicate"]["runs"]
    return next(run for run in runs if all(run[name] == RUN[name] for name in RUN))


def test_it_acts_as_in_the_claimed_episodes_to_the_bit(tiny_entry, policy):
    """It was trained and evaluated as one of four members; here it is alone."""
    plan = read_plan(tiny_entry.parent / "plan.json")
    words = [f"final/{slot}" for slot in range(plan.evaluation.environments)]
    seeds = [environment_seed(plan.seed_source, RUN["task"], 0, word) for word in words]
    total = np.zeros(len(seeds))
    with Worker(patience=60.0) as worker:
        pool = worker.pool(policy.task, [seeds], plan.budget.action_repeat, auto_reset=False)
        observation = pool.reset()[0]
        ended = False
        while not ended:
            step = pool.step(policy(observation)[None])
            total += step.reward[0]
            observation = step.observation[0]
            ended = step.truncated.all()
    assert stated(tiny_entry)["members"] == 4
    assert total.tolist() == stated(tiny_entry)["final_returns"]


def test_one_observation_or_many_give_the_same_bits(policy):
    many = np.random.default_rng(0).normal(size=(7, policy.task.observation_size))
    actions = policy(many)
    assert actions.shape == (7, policy.task.action)
    assert np.array_equal(np.stack([policy(one) for one in many]), actions)
    assert np.all(np.abs(actions) <= 1.0)
    assert policy(many[:0]).shape == (0, policy.task.action)


def test_the_callers_threads_are_left_as_they_were(policy):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        policy(np.zeros(policy.task.observation_size))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("shape", [(4,), (1, 1, 5), ()])
def test_other_shapes_are_refused(policy, shape):
    with pytest.raises(ValueError, match=r"expected \[5\] or \[n, 5\]"):
        policy(np.zeros(shape))


def test_an_environment_that_the_evaluation_did_not_have_is_refused(policy):
    """It used to wait for ever."""
    with pytest.raises(ValueError, match="slot is 2, expected 0 to 1"):
        policy(np.zeros(policy.task.observation_size), slot=2)


def test_a_run_that_is_not_there_is_named_with_the_nearest(tiny_entry):
    with pytest.raises(UserError, match=r"has no run .*/mst/1\. Did you mean '.*/mst/0'"):
        load_policy(tiny_entry.parent, **{**RUN, "seed": 1})


def test_an_entry_that_does_not_verify_gives_no_policy(entry):
    (entry.parent / "results.csv").write_text("")
    with pytest.raises(Refused):
        load_policy(entry, **RUN)
