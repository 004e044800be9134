"""The member axis: neighbours do not matter, and a state is everything."""

from dataclasses import replace

import pytest
import torch

from harness.files import Files
from harness.training.checkpoint import Checkpoints
from helpers.toy import HEADLINE, MODULES, OTHER_RESIDUALS, SMALL, Loop, assert_same

REGIMES = list(HEADLINE)


RESIDUALS = pytest.mark.parametrize(
    "blocks", [{}, *OTHER_RESIDUALS], ids=lambda blocks: "-".join(blocks.values()) or "headline"
)


@RESIDUALS
def test_permuted_members_stay_bitwise_equal(blocks):
    order = [2, 0, 3, 1]
    straight = Loop(range(4), REGIMES, blocks=blocks).run(160)
    permuted = Loop(order, [REGIMES[key] for key in order], blocks=blocks).run(160)
    for position, key in enumerate(order):
        assert_same(straight.member(key), permuted.member(position))


@pytest.mark.parametrize("module", MODULES)
def test_a_neighbour_poisoned_with_nan_changes_nothing(module):
    clean = Loop(range(3), REGIMES[1:]).run(90)
    poisoned = Loop(range(3), REGIMES[1:]).run(90)
    parameters = poisoned.agent.modules()[module].parameters
    with torch.no_grad():
        for view in parameters.layout.views(parameters.flat).values():
            view[parameters.copies : 2 * parameters.copies] = float("nan")

    # Its neighbours learn on, and only its own failure is reported.
    clean.run(30)
    poisoned.run(30)
    for member in (0, 2):
        assert_same(clean.member(member), poisoned.member(member))
    reasons = poisoned.agent.check_finite()
    assert reasons[0] is None
    assert reasons[1] is not None
    assert "not finite" in reasons[1]
    assert reasons[2] is None


def test_a_frozen_member_is_not_written_and_the_others_go_on():
    clean, frozen = Loop(range(3), REGIMES[1:]).run(90), Loop(range(3), REGIMES[1:]).run(90)
    frozen.agent.freeze(1)
    before = frozen.member(1)
    clean.run(30)
    frozen.run(30)
    for member in (0, 2):
        assert_same(clean.member(member), frozen.member(member))
    after = frozen.member(1)
    weights = [key for key in before if "/w/" in key]
    assert weights
    assert all(torch.equal(before[key], after[key]) for key in weights)
    assert not frozen.agent.act(torch.ones(3, 1, 7), explore=False)[1].any(), "its actions are zero"


def test_members_share_a_clip_only_with_themselves():
    """The clip norm of a critic spans both Q networks of one member, and no other member's."""
    critic = Loop(range(3), ["dense"] * 3).agent.learner.trained["critic"]
    gradient = torch.zeros(critic.layout.size)
    view = critic.layout.views(gradient)["q.0.weight"]
    view[2, 0, 0] = 30.0  # member 1's two networks: norm 50
    view[3, 0, 0] = 40.0
    view[4, 0, 0] = 10.0  # member 2: below the clip

    # After one step, the first moment is a tenth of what was let through.
    critic.step(gradient)
    clipped = critic.layout.views(critic.moments[0])["q.0.weight"][:, 0, 0] / 0.1
    assert clipped.tolist() == pytest.approx([0.0, 0.0, 12.0, 16.0, 10.0, 0.0])


@RESIDUALS
def test_a_restored_agent_goes_on_bitwise(blocks):
    unbroken, first, resumed = (Loop(range(2), ["dst", "mst"], blocks=blocks) for _ in range(3))
    unbroken.run(160)

    first.run(85)
    resumed.agent.restore(first.agent.state(), first.agent.replay_rows([0, 0]))
    resumed.worlds = first.worlds
    resumed.run(75)
    for member in range(2):
        assert_same(unbroken.member(member), resumed.member(member))
    chains = [loop.agent.learner.masks["critic"].chains for loop in (unbroken, resumed)]
    assert chains[0] == chains[1]


@pytest.mark.parametrize("stop", [30, 150, 160])
def test_a_replay_that_wraps_between_checkpoints_resumes_bitwise(tmp_path, stop):
    """With `buffer_size` below the rows written since a checkpoint, the next one was an error."""
    settings = replace(SMALL, buffer_size=100)
    unbroken, killed, resumed = (Loop(range(2), ["dst", "mst"], settings) for _ in range(3))
    unbroken.run(200)

    # Saved at 30, then after 120 steps (123 rows into 100), then soon again; killed at once.
    checkpoints = Checkpoints(tmp_path, 2, {}, Files())
    for step in (30, 150, 160):
        if step <= stop:
            killed.run(step - killed.agent.agent_steps)
            rows = killed.agent.replay_rows(checkpoints.saved)
            checkpoints.write(step, killed.agent.state(), rows)

    newest, _ = Checkpoints(tmp_path, 2, {}).read(allow_drift=False)
    resumed.agent.restore(newest.state, newest.rows)
    resumed.worlds = killed.worlds
    resumed.run(200 - newest.step)
    for member in range(2):
        assert_same(unbroken.member(member), resumed.member(member))


def test_learning_beside_the_simulator_is_bitwise_learning_after_it():
    beside, after = Loop(range(2), ["dense", "mst"]), Loop(range(2), ["dense", "mst"])
    after.overlap = False
    beside.run(200)
    after.run(200)
    for member in range(2):
        assert_same(beside.member(member), after.member(member))


def test_acting_without_exploration_draws_nothing():
    loop = Loop(range(2), ["dense", "mst"]).run(70)
    before = {word: draws.state() for word, draws in loop.agent.learner.draws.items()}
    loop.agent.act(torch.ones(2, 3, 7), explore=False)
    after = {word: draws.state() for word, draws in loop.agent.learner.draws.items()}
    assert all(before[word]["position"] == after[word]["position"] for word in before)
