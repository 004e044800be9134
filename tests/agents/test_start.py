"""How the headline's networks start, on the sizes of Humanoid: policies that can still be moved."""

import pytest
import torch

from agents.mrq.agent import build
from agents.mrq.spec import MRQSpec
from agents.protocol import Setup
from agents.spec import TaskShape
from helpers.toy import HEADLINE, stream

OBSERVATION = 67
ACTION = 21
MEMBERS = 8
SETTINGS = MRQSpec(warmup=10).with_width(128)


def saturated(depth, residuals):
    """Share of actions beyond 0.99 of policies that have learned nothing; `depth`: a factor."""
    streams = [stream(key) for key in range(MEMBERS)]
    setup = Setup(
        task=TaskShape(OBSERVATION, ACTION, 500, terminates=False),
        agent_steps=20,
        blocks={**MRQSpec.BLOCKS, **residuals},
        regimes=[HEADLINE["dense"]] * MEMBERS,
        streams=lambda member, word: streams[member](word),
    )
    agent = build(setup, SETTINGS.scaled(1, depth))
    generator = torch.Generator().manual_seed(1)
    observation = torch.randn(MEMBERS, 64, OBSERVATION, generator=generator)
    action = agent.act(observation, explore=False)
    return float((action.abs() > 0.99).float().mean())


@pytest.mark.parametrize("depth", [1, 5])
def test_at_most_a_fifth_of_all_actions_is_saturated_at_the_start(depth):
    """It was half of them, and 84 percent at 10 hidden layers."""
    assert saturated(depth, {}) < 0.2
    assert saturated(depth, {"shortcuts": "all", "final_norm": "none"}) > 0.4
