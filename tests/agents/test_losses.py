"""MR.Q's losses and targets on numbers worked out by hand, above all where an episode ends."""

import math

import pytest
import torch

from agents.mrq import losses


def tensor(*values):
    """In float64."""
    return torch.tensor(values, dtype=torch.float64)


def test_a_return_ends_where_the_episode_does():
    # Rewards 1, 2, 4 at discount 0.5. The second sample ends after its first step.
    reward = tensor([1.0, 1.0], [2.0, 2.0], [4.0, 4.0])[None]  # [P, n, B]
    not_done = tensor([1.0, 0.0], [1.0, 1.0], [1.0, 1.0])[None]
    total, scale = losses.multi_step_return(reward, not_done, 0.5)
    assert total.tolist() == [[1.0 + 1.0 + 1.0, 1.0]]
    assert scale.tolist() == [[0.125, 0.0]], "nothing is worth anything after the end"


def test_steps_count_up_to_the_one_that_ended():
    not_done = tensor([1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0])[None]
    alive = losses.alive_before(not_done)
    assert alive[0].tolist() == [[1.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]


def test_bins_are_symmetric_and_grow_exponentially():
    bins = losses.symexp_bins(2.0, 5, torch.float64, "cpu")
    one, two = math.e - 1.0, math.e**2 - 1.0
    assert bins.tolist() == pytest.approx([-two, -one, 0.0, one, two])


def test_two_hot_weights_have_the_number_as_their_mean():
    bins = tensor(-4.0, -1.0, 0.0, 1.0, 4.0)
    hot = losses.two_hot(tensor(2.5, -1.0, 0.25, 9.0, -9.0), bins)
    assert hot.tolist() == [
        [0.0, 0.0, 0.0, 0.5, 0.5],
        [0.0, 1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.75, 0.25, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [1.0, 0.0, 0.0, 0.0, 0.0],
    ]


def test_losses_are_means_over_all_steps_and_dead_ones_count_as_zero():
    alive = tensor([1.0, 0.0])
    predicted = tensor([[1.0, 3.0], [9.0, 9.0]])
    target = tensor([[0.0, 1.0], [0.0, 0.0]])
    assert losses.dynamics_loss(predicted, target, alive).tolist() == [(1.0 + 4.0) / 4.0]

    not_done = tensor([0.0, 0.0])
    predicted_end = tensor([0.75, 0.0])
    assert losses.done_loss(predicted_end, not_done, alive).tolist() == [0.0625 / 2.0]

    # Three bins that are equally likely: the entropy is log 3 whatever the reward.
    logits = torch.zeros(1, 2, 3, dtype=torch.float64)
    bins = tensor(-1.0, 0.0, 1.0)
    loss = losses.reward_loss(logits, tensor([0.3, 0.8]), alive, bins)
    assert loss.tolist() == pytest.approx([math.log(3.0) / 2.0])


def test_a_target_is_that_of_the_smaller_twin_in_units_of_the_reward():
    reward, discount = tensor([1.0, 1.0]), tensor([0.5, 0.0])
    next_q = tensor([3.0, 3.0], [2.0, 9.0])[None]
    target = losses.q_target(reward, discount, next_q, tensor(4.0), tensor(8.0))
    assert target.tolist() == [[(1.0 + 0.5 * 2.0 * 8.0) / 4.0, 0.25]]


def test_critics_errors_are_huber_and_their_priority_is_the_larger_one():
    q = tensor([0.5, 3.0], [0.0, -2.0])[None]
    target = tensor([0.0, 0.0])
    small, large = 0.125, (2.5 + 1.5) / 2.0
    assert losses.critic_loss(q, target).tolist() == [[small / 2.0, large]]
    assert losses.lap_priority(q, target, 1.0, 0.5).tolist() == [[1.0, math.sqrt(3.0)]]


def test_a_policy_is_paid_in_mean_value_and_pays_for_large_activations():
    q = tensor([1.0], [3.0])[None]
    activation = tensor([1.0, 3.0])[None]
    assert losses.actor_loss(q, activation, 0.1).tolist() == [[pytest.approx(-2.0 + 0.1 * 5.0)]]
