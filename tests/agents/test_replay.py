"""LAP replay over sub-trajectories, against a slow and obvious model of it."""

import math

import numpy as np
import pytest
import torch

from agents.members.lap import ONE, to_fixed, to_fixed_tensor
from agents.members.replay import Replay

OBS, ACT, HORIZON = 3, 1, 5


class Obvious:
    """One member's buffer as plain lists: which rows may be sampled, by the rules in words."""

    def __init__(self, capacity):
        """Empty."""
        self.capacity = capacity
        self.cursor = 0
        self.episode = 0
        self.samplable = set()

    def begin(self):
        """A row is written: the one a horizon before it is whole now."""
        self.episode += 1
        self.samplable.discard((self.cursor + HORIZON - 1) % self.capacity)
        if self.episode > HORIZON:
            self.samplable.add((self.cursor - HORIZON) % self.capacity)

    def complete(self, terminated, truncated):
        """An end: windows may reach over a termination, and not over a truncation."""
        self.cursor = (self.cursor + 1) % self.capacity
        if terminated or truncated:
            self.samplable.discard((self.cursor + HORIZON - 1) % self.capacity)
            for back in range(1, min(self.episode, HORIZON) + 1):
                row = (self.cursor - back) % self.capacity
                self.samplable.add(row) if terminated else self.samplable.discard(row)
            self.cursor, self.episode = (self.cursor + 1) % self.capacity, 0


def fill(replay, steps, ends, rng):
    """Random transitions into a replay and its models, which must agree after each of them.

    `ends(step, member)` -> (terminated, truncated).
    """
    members = replay.members
    models = [Obvious(replay.capacity) for _ in range(members)]
    for step in range(steps):
        # One transition of each member.
        observation = torch.full((members, OBS), float(step))
        replay.begin(observation, torch.zeros(members, ACT))
        flags = np.array([ends(step, member) for member in range(members)], dtype=bool)
        reward = torch.from_numpy(rng.random(members)).float()
        replay.complete(reward, observation + 0.5, flags[:, 0], flags[:, 1])

        # What may be sampled now.
        for member, model in enumerate(models):
            model.begin()
            model.complete(*flags[member])
            samplable = set(np.flatnonzero(replay.lap.samplable[member].numpy()))
            assert samplable == model.samplable, (step, member)
            assert replay.cursor[member] == model.cursor


@pytest.mark.parametrize("capacity", [60, 500])
def test_rows_that_may_be_sampled_follow_the_rules_through_ends_and_wraps(capacity):
    rng = np.random.default_rng(0)
    replay = Replay(3, OBS, ACT, capacity, HORIZON, 1.0)
    ends = {
        0: lambda s: (False, s % 20 == 19),
        1: lambda s: (rng.random() < 0.08, False),
        2: lambda s: (False, s % 7 == 6),
    }
    fill(replay, 150, lambda step, member: ends[member](step), rng)
    weights = replay.lap.priority * replay.lap.samplable
    assert torch.equal(replay.lap.block_sum, weights.view(3, replay.lap.blocks, -1).sum(-1)), (
        "block sums are exact"
    )


def test_the_newest_transitions_are_never_sampled():
    replay = Replay(1, OBS, ACT, 300, HORIZON, 1.0)
    fill(replay, 100, lambda step, member: (False, False), np.random.default_rng(0))
    assert np.flatnonzero(replay.lap.samplable[0].numpy()).max() == 99 - HORIZON


def test_sampling_is_proportional_to_priority():
    replay = Replay(2, OBS, ACT, 300, HORIZON, 1.0)
    fill(replay, 200, lambda step, member: (False, step % 50 == 49), np.random.default_rng(0))
    rows = torch.tensor([[10, 60, 130], [10, 60, 130]])
    replay.update_priority(rows, torch.tensor([[8.0, 4.0, 2.0], [1.0, 1.0, 16.0]]))
    uniform = (torch.arange(100_000, dtype=torch.float64) + 0.5).expand(2, -1) / 100_000
    drawn = replay.sample(uniform)

    for member in range(2):
        assert replay.lap.samplable[member][drawn[member]].all()
        share = torch.bincount(drawn[member], minlength=300).double() / 100_000
        weight = (
            replay.lap.priority[member, :300] * replay.lap.samplable[member, :300]
        ).double() / ONE
        torch.testing.assert_close(share, weight / weight.sum(), atol=2e-5, rtol=0)


def test_even_sampling_draws_every_row_that_may_be_sampled_alike_whatever_its_priority():
    replay = Replay(2, OBS, ACT, 300, HORIZON, 1.0)
    fill(replay, 200, lambda step, member: (False, step % 50 == 49), np.random.default_rng(0))
    replay.update_priority(torch.tensor([[10], [60]]), torch.tensor([[500.0], [0.5]]))
    count = int(replay.lap.samplable[0].sum())
    uniform = (torch.arange(100 * count, dtype=torch.float64) + 0.5).expand(2, -1) / (100 * count)
    drawn = replay.lap.sample_evenly(uniform)

    for member in range(2):
        times = torch.bincount(drawn[member], minlength=replay.lap.samplable.shape[1])
        assert torch.equal(times, 100 * replay.lap.samplable[member].long())

    # The ends of [0, 1) are rows too.
    ends = replay.lap.sample_evenly(torch.tensor([[0.0, 1.0 - 2.0**-53]] * 2, dtype=torch.float64))
    first, last = (np.flatnonzero(replay.lap.samplable[0].numpy())[place] for place in (0, -1))
    assert ends.tolist() == [[first, last]] * 2


def test_priorities_end_at_the_largest_and_never_fall_below_zero():
    priority = torch.tensor([[math.inf, 5000.0, 1024.0, 0.25, 0.0, -1.0, math.nan]])
    fixed = to_fixed_tensor(priority).double() / ONE
    assert fixed.tolist() == [[1024.0, 1024.0, 1024.0, 0.25, 0.0, 0.0, 1.0]]
    assert to_fixed(0.25) == ONE // 4
    largest = torch.full((1, 1), 1024.0)
    assert int(to_fixed_tensor(largest)) * ((1 << 21) - 1) < 1 << 63, "their sum fits 64 bits"


def test_of_duplicate_rows_the_largest_priority_stays_and_replaces_the_old_one():
    replay = Replay(1, OBS, ACT, 100, HORIZON, 1.0)
    fill(replay, 50, lambda step, member: (False, False), np.random.default_rng(0))
    replay.update_priority(torch.tensor([[7, 7, 7]]), torch.tensor([[9.0, 9.0, 9.0]]))
    replay.update_priority(torch.tensor([[7, 3, 7]]), torch.tensor([[2.0, 5.0, 4.0]]))
    assert (replay.lap.priority[0, [7, 3]] / ONE).tolist() == [4.0, 5.0]
    assert (replay.lap.max_priority / ONE).tolist() == [9.0]


def test_windows_hold_states_actions_and_rewards_in_their_order():
    replay = Replay(2, OBS, ACT, 100, HORIZON, 1.0)
    for step in range(30):
        replay.begin(torch.full((2, OBS), float(step)), torch.full((2, ACT), step / 100))
        replay.complete(
            torch.tensor([step * 1.0, -step]),
            torch.zeros(2, OBS),
            np.zeros(2, bool),
            np.zeros(2, bool),
        )
    observation, action, reward, not_done = (
        part.transpose(1, 2) for part in replay.windows(torch.tensor([[4], [9]]), 3)
    )
    assert observation[:, 0, :, 0].tolist() == [[4, 5, 6, 7], [9, 10, 11, 12]]
    torch.testing.assert_close(
        action[:, 0, :, 0], torch.tensor([[0.04, 0.05, 0.06], [0.09, 0.10, 0.11]])
    )
    assert reward[:, 0].tolist() == [[4, 5, 6], [-9, -10, -11]]
    assert not_done.all()


def test_the_last_observation_of_an_episode_has_a_row_of_its_own():
    replay = Replay(1, OBS, ACT, 100, HORIZON, 1.0)
    fill(replay, 21, lambda step, member: (False, step == 9), np.random.default_rng(0))
    assert replay.rows[0, 9:12, 0].tolist() == [9.0, 9.5, 10.0]


def test_reward_scale_is_the_mean_over_filled_rows_of_each_member():
    replay = Replay(2, OBS, ACT, 100, HORIZON, 1.0)
    for step in range(10):
        replay.begin(torch.zeros(2, OBS), torch.zeros(2, ACT))
        replay.complete(
            torch.tensor([1.0, -float(step)]),
            torch.zeros(2, OBS),
            np.zeros(2, bool),
            np.zeros(2, bool),
        )
    assert replay.reward_scale().tolist() == [1.0, 4.5]


def test_a_checkpoint_asks_for_the_rows_of_every_member():
    replay = Replay(2, OBS, ACT, 100, HORIZON, 1.0)
    with pytest.raises(ValueError, match="zip"):
        replay.rows_since([0])
