"""The member-axis MR.Q against a plain one-network MR.Q in float64, update by update."""

import itertools
from dataclasses import replace

import pytest
import torch

from agents.members.blocks import RESIDUALS
from agents.members.lap import ONE
from agents.sparsity.regime import REGIMES
from helpers.plain_mrq import NO_RESIDUAL, PlainMRQ
from helpers.toy import ACTION, OBSERVATION, SMALL, Loop

WAYS = [
    dict(zip(RESIDUALS, values, strict=True)) for values in itertools.product(*RESIDUALS.values())
]
"""Every way to build residuals."""


@pytest.mark.parametrize("lap_q", ["taken", "policy"])
def test_three_blocks_and_their_rl_updates_equal_the_plain_implementation(lap_q):
    check_against_plain(replace(SMALL, lap_q=lap_q), WAYS[0], 3)


@pytest.mark.parametrize("residuals", WAYS[1:], ids=lambda way: "-".join(way.values()))
def test_residuals_of_every_kind_equal_the_plain_implementation(residuals):
    """At these widths the state and action embedding together may skip a layer, too."""
    check_against_plain(replace(SMALL, width=24, zsa_dim=24), residuals, 1)


def test_stock_networks_equal_the_plain_implementation_whatever_residuals_a_suite_has():
    blocks = {**REGIMES["stock"].blocks, **WAYS[-1]}
    check_against_plain(SMALL, NO_RESIDUAL, 1, blocks)


def test_on_a_task_that_terminates_they_are_equal_too():
    check_against_plain(SMALL, WAYS[0], 1, terminates=True, episode=7)


def check_against_plain(settings, residuals, members, blocks=None, **world):
    """Trains members and as many plain ones on the same batches; they must agree.

    `world`: how episodes end, as for `Loop`.
    """
    world |= {"dtype": torch.float64, "blocks": blocks or residuals}
    loop = Loop(range(members), ["dense"] * members, settings, **world).run(60)
    agent = loop.agent
    agent.replay.terminates[-1] = True  # the termination loss counts for one member alone
    plains = [PlainMRQ(settings, OBSERVATION, ACTION, residuals) for _ in range(members)]
    for member, plain in enumerate(plains):
        plain.load(agent, member)

    # Learn on, both of them.
    follow(agent, plains)
    loop.run(30)
    assert dict(agent.counts()) == {"encoder": 30, "critic": 30, "actor": 30}
    for member, plain in enumerate(plains):
        assert plain.largest_difference(agent, member) < 1e-10
        scale = float(agent.algorithm.scales.reward[member])
        assert scale == pytest.approx(plain.reward_scale, rel=1e-12)


def follow(agent, plains):
    """Lets the plain ones repeat every update of the agent, on the same rows and noise.

    It wraps two private steps of the algorithm: the batches of an update are seen nowhere else.
    """
    algorithm = agent.algorithm
    s = algorithm.settings
    replay, draws = agent.replay, agent.learner.draws
    start_cycle = algorithm._start_cycle
    learn_encoder = algorithm._learn_encoder
    update_priority = replay.update_priority

    def windows(index, horizon):
        """Windows of all members, the batch before the steps: [P, B, H, ...]."""
        return (part.transpose(1, 2) for part in replay.windows(index, horizon))

    def start():
        for member, plain in enumerate(plains):
            plain.copy_targets()
            plain.target_reward_scale = plain.reward_scale
            rewards = replay.rows[member, : replay.size[member], -2]
            plain.reward_scale = float(rewards.abs().mean())
        start_cycle()

    def encoder():
        index = replay.sample(draws["replay/encoder"].now)
        for member, batch in enumerate(zip(*windows(index, s.encoder_horizon), strict=True)):
            plains[member].encoder_update(*batch, terminates=bool(replay.terminates[member]))
        return learn_encoder()

    def rl(index, priority):
        batches = zip(*windows(index, s.q_horizon), strict=True)
        for member, (observation, action, *rewards) in enumerate(batches):
            noise = draws["target-noise"].now[member]
            ends = observation[:, [0, -1]]
            expected = plains[member].rl_update(ends, action[:, 0], *rewards, noise)
            torch.testing.assert_close(priority[member], expected, rtol=1e-9, atol=1e-9)
        update_priority(index, priority)

    algorithm._start_cycle = start
    algorithm._learn_encoder = encoder
    replay.update_priority = rl


def test_max_priority_only_grows_and_new_rows_take_it():
    loop, largest = Loop([0], ["dense"]).run(60), []
    replay = loop.agent.replay
    for _ in range(60):
        loop.step()
        largest.append(int(replay.lap.max_priority[0]))
    assert largest == sorted(largest)
    assert largest[-1] > ONE
    replay.begin(torch.zeros(1, OBSERVATION), torch.zeros(1, ACTION))
    assert int(replay.lap.priority[0, int(replay.cursor[0])]) == largest[-1]
