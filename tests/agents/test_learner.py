"""What algorithms share: trained numbers, moving targets, acting, tasks that terminate."""

import dataclasses

import pytest
import torch

from agents.catalog import AGENTS, agent_spec
from agents.members.scalar import TrainedScalar
from helpers.toy import ACTION, SMALL, TASK, Loop, assert_same


def test_a_trained_number_follows_adam_and_a_frozen_one_stays():
    ours = TrainedScalar(3, 0.5, lr=0.01, dtype=torch.float64)
    theirs = torch.full((3,), 0.5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([theirs], lr=0.01)
    target = torch.tensor([1.0, -2.0, 0.0], dtype=torch.float64)

    for _ in range(20):
        ours.step((ours.value - target).square())
        optimiser.zero_grad()
        (theirs - target).square().sum().backward()
        optimiser.step()
    torch.testing.assert_close(ours.value, theirs, rtol=1e-12, atol=0.0)

    ours.freeze([1])
    before = ours.value.detach().clone()
    ours.step((ours.value - target).square())
    assert ours.value[1] == before[1]
    assert (ours.value != before).tolist() == [True, False, True]


def test_a_restored_trained_number_goes_the_same_way():
    first, second = TrainedScalar(2, 0.1, lr=0.1), TrainedScalar(2, 0.9, lr=0.1)
    for _ in range(3):
        first.step(first.value.square())
    second.restore({name: value.clone() for name, value in first.state().items()})
    for scalar in (first, second):
        scalar.step(scalar.value.square())
    assert torch.equal(first.value, second.value)


def test_targets_move_by_polyak_averaging():
    module = Loop([0], ["dense"]).run(80).agent.learner.trained["critic"]
    before = module.target.clone()
    module.move_target(0.25)
    torch.testing.assert_close(module.target, before + 0.25 * (module.flat.detach() - before))
    assert not torch.equal(module.target, before)


def test_warm_up_actions_are_uniform_on_the_whole_range():
    loop = Loop(list(range(4)), ["dense"] * 4)
    seen = torch.zeros(4, 1, TASK.observation)
    actions = torch.cat([loop.agent.act(seen, explore=True) for _ in range(2000)])
    assert actions.shape == (8000, 1, ACTION)
    assert actions.min() < -0.99
    assert actions.max() > 0.99
    assert abs(float(actions.mean())) < 0.05
    assert float(actions.std()) == pytest.approx(1.0 / 3.0**0.5, rel=0.05)


def test_exploration_adds_normal_noise_of_the_stated_size():
    settings = dataclasses.replace(SMALL, exploration_noise=0.05)
    loop = Loop(list(range(4)), ["dense"] * 4, settings).run(SMALL.warmup)
    seen = torch.randn(4, 1, TASK.observation, generator=torch.Generator().manual_seed(0))
    greedy = loop.agent.act(seen, explore=False).clone()
    inside = greedy.abs() < 0.7  # the others are clipped now and then
    assert inside.any()
    noise = torch.cat([(loop.agent.act(seen, explore=True) - greedy)[inside] for _ in range(2000)])
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.005)
    assert float(noise.std()) == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("terminates", [False, True])
def test_a_replay_that_the_budget_fits_never_wraps(terminates):
    """Terminating at every step needs a row more for each: the most that can be written."""
    loop = Loop([0], ["dense"], steps=200, terminates=terminates, episode=1 if terminates else 40)
    loop.run(200)
    assert loop.agent.replay.written[0] <= loop.agent.replay.capacity
    assert loop.agent.replay.written[0] == (400 if terminates else 205)


def test_on_a_terminating_task_no_update_runs_before_the_answer():
    loop = Loop([0, 1], ["mst", "dense"], terminates=True, episode=7).run(150)
    assert not loop.agent.overlaps()
    assert loop.agent.replay.terminates.all()

    # Bit by bit the numbers of a loop that never tries to overlap
    patient = Loop([0, 1], ["mst", "dense"], terminates=True, episode=7)
    patient.overlap = False
    patient.run(150)
    for member in range(2):
        assert_same(loop.member(member), patient.member(member))


def test_gradients_are_masked_before_they_are_clipped():
    """An unmasked norm is larger, so clipping by it would shrink the steps of sparse members."""
    module = Loop([0], ["sst"]).agent.learner.trained["critic"]
    gradient = torch.full_like(module.target, 1.0)
    masked_norm = float(module.gradient_norm(gradient)[0])
    module.clip = masked_norm * 0.5

    module.step(gradient)
    first_moment = module.moments[0] / 0.1  # 1 - beta1, after one step
    norm = float(module.gradient_norm(first_moment)[0])
    assert norm == pytest.approx(module.clip, rel=1e-4)


@pytest.mark.parametrize("agent", AGENTS)
def test_every_algorithm_says_what_a_plan_asks(agent):
    spec = agent_spec(agent)
    settings = spec.smallest()
    steps = settings.learning_starts + 100
    assert set(settings.shapes(TASK)) == set(settings.updates(steps)) == set(spec.MODULES)
    assert set(spec.POLICY_MODULES) <= set(spec.MODULES)
    assert set(spec.BLOCKS) == set(spec.MODULES)
    assert not any(settings.updates(settings.learning_starts).values())
    assert all(settings.updates(steps).values())
    assert settings.with_width(2 * settings.width).width == settings.scaled(2, 1).width
    assert settings.memory(TASK, steps).replay > 0
