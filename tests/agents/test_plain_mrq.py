"""The member-axis MR.Q against a plain one-network MR.Q in float64, update by update."""

from dataclasses import replace

import pytest
import torch

from agents.members.lap import ONE
from helpers.plain_mrq import PlainMRQ
from helpers.toy import ACTION, OBSERVATION, SMALL, Loop


def largest_difference(plain, agent, member):
    """Over all parameters of all modules."""
    pairs = [
        (plain.encoder.named(), agent.learner.trained["encoder"], 0),
        (plain.actor.named(), agent.learner.trained["actor"], 0),
    ]
    pairs += [
        (q.named(), agent.learner.trained["critic"], copy) for copy, q in enumerate(plain.critic.q)
    ]
    worst = 0.0
    for layers, module, copy in pairs:
        values = module.member_parameters(member)
        for name, layer in layers.items():
            worst = max(
                worst, float((layer.weight.data.T - values[f"{name}.weight"][copy]).abs().max())
            )
            worst = max(
                worst, float((layer.bias.data - values[f"{name}.bias"][copy, 0]).abs().max())
            )
    return worst


@pytest.mark.parametrize("lap_q", ["taken", "policy"])
def test_three_blocks_and_their_rl_updates_equal_the_plain_implementation(lap_q):
    settings = replace(SMALL, lap_q=lap_q)
    loop = Loop(range(3), ["dense"] * 3, settings, dtype=torch.float64).run(60)
    agent = loop.agent
    agent.replay.terminates[1] = True  # the termination loss counts for one member alone
    plains = [PlainMRQ(settings, OBSERVATION, ACTION) for _ in range(3)]
    for member, plain in enumerate(plains):
        plain.load(agent, member)
    follow(agent, plains)
    loop.run(30)
    assert dict(agent.counts()) == {"encoder": 30, "critic": 30, "actor": 30}
    for member, plain in enumerate(plains):
        assert largest_difference(plain, agent, member) < 1e-10
        assert float(agent.algorithm.scales.reward[member]) == pytest.approx(
            plain.reward_scale, rel=1e-12
        )


def follow(agent, plains):
    """Let every update of the agent be repeated by the plain ones, on the same rows and noise."""
    s, replay, draws = agent.algorithm.settings, agent.replay, agent.learner.draws
    learn_encoder, update_priority, start_cycle = (
        agent.algorithm._learn_encoder,
        replay.update_priority,
        agent.algorithm._start_cycle,
    )

    def start():
        for member, plain in enumerate(plains):
            plain.copy_targets()
            plain.target_reward_scale = plain.reward_scale
            plain.reward_scale = float(replay.rows[member, : replay.size[member], -2].abs().mean())
        start_cycle()

    def encoder():
        index = replay.sample(draws["replay/encoder"].now)
        observation, action, reward, not_done = (
            part.transpose(1, 2) for part in replay.windows(index, s.encoder_horizon)
        )
        for m, plain in enumerate(plains):
            plain.encoder_update(
                observation[m], action[m], reward[m], not_done[m], bool(replay.terminates[m])
            )
        return learn_encoder()

    def rl(index, priority):
        observation, action, reward, not_done = (
            part.transpose(1, 2) for part in replay.windows(index, s.q_horizon)
        )
        for m, plain in enumerate(plains):
            ends = observation[m][:, [0, -1]]
            expected = plain.rl_update(
                ends, action[m][:, 0], reward[m], not_done[m], draws["target-noise"].now[m]
            )
            torch.testing.assert_close(priority[m], expected, rtol=1e-9, atol=1e-9)
        update_priority(index, priority)

    agent.algorithm._learn_encoder, agent.algorithm._start_cycle, replay.update_priority = (
        encoder,
        start,
        rl,
    )


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
