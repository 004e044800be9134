"""Training would run on a GPU without asking the host: shown on torch's `meta` device.

Tensors have no data there. An operation over tensors of two devices is an error, and so is reading
a value back (`.item()`, `bool()`, `.tolist()`).
"""

import numpy as np
import pytest
import torch

# Private, as PyTorch has no public way to see every operation: its documentation names this one.
from torch.utils._python_dispatch import TorchDispatchMode

from agents.members import recording
from agents.mrq.agent import build
from agents.protocol import Setup
from agents.sparsity.masks import Masks
from helpers.tape import Tape
from helpers.toy import EPISODE, OBSERVATION, SMALL, TASK, stream, triples

MEMBERS = 3


@pytest.fixture
def agent(monkeypatch):
    """Members on another device, which records; masks are digested for files, which needs data."""
    monkeypatch.setitem(recording.GRAPHS, "meta", Tape)
    monkeypatch.setattr(Masks, "member_masks", lambda masks, member: {})
    setup = Setup(
        task=TASK,
        agent_steps=300,
        blocks={"encoder": "T6", "critic": "T6", "actor": "T5"},
        regimes=[triples(name) for name in ("dense", "sst", "static")],
        streams=lambda member, word: stream(member)(word),
        device="meta",
    )
    return build(setup, SMALL)


def step(agent, number):
    """An agent step whose observations and rewards are on the device already."""
    seen = torch.randn(MEMBERS, 1, OBSERVATION, device="meta")
    action = agent.act(seen, explore=True)
    assert action.device.type == "meta"
    agent.begin(seen, action)
    agent.update()
    ends = np.full((MEMBERS, 1), number % EPISODE == 0)
    agent.complete(torch.rand(MEMBERS, 1, device="meta"), seen, np.zeros_like(ends), ends)


def test_learning_stays_on_the_device_and_never_asks_the_host(agent):
    for number in range(1, SMALL.warmup + 2 * SMALL.target_cycle + 5):
        step(agent, number)
    assert agent.counts()["critic"] > SMALL.target_cycle
    for module in agent.learner.trained.values():
        tensors = (module.flat, module.target, *module.moments, module.steps, module.keep)
        assert {tensor.device.type for tensor in tensors} == {"meta"}


class Scattering(TorchDispatchMode):
    """Notes what is written at indices, and whether its memory is one piece."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation._schema.name
        if operation._schema.is_mutable and ("index" in name or "scatter" in name):
            self.writes.append((name, args[0].is_contiguous()))
        return operation(*args, **(kwargs or {}))


def test_no_step_writes_at_indices_of_a_part_of_a_tensor(agent):
    """In deterministic mode a GPU writes to a copy of such a part, and copies all of it back: for
    a few numbers of every row, twice the replay in each agent step."""
    for number in range(1, SMALL.warmup + 5):
        step(agent, number)
    with Scattering() as scattering:
        for recorded in agent.learner.recorder.steps:
            recorded.function()
    assert len(scattering.writes) >= 6, "rows twice, flags, priorities and their sums"
    assert all(whole for _, whole in scattering.writes), scattering.writes

    with Scattering() as scattering:
        agent.replay.rows[torch.arange(MEMBERS), 0, :-2] = 0.0
    assert not all(whole for _, whole in scattering.writes), "such a write is seen"


@pytest.mark.slow
def test_what_learning_changes_stays_where_it_is_in_memory(agent):
    """A captured update reads and writes the tensors that it was captured with."""
    for number in range(1, SMALL.warmup + 5):
        step(agent, number)

    before = changing(agent)
    for number in range(SMALL.warmup + 5, SMALL.warmup + 3 * SMALL.target_cycle):
        step(agent, number)
    after = changing(agent)
    assert len(before) == len(after)
    assert all(old is new for old, new in zip(before, after, strict=True))


def changing(agent):
    """Every tensor that learning writes."""
    scales, lap = agent.algorithm.scales, agent.replay.lap
    tensors = [scales.reward, scales.target_reward, *agent.learner.finite.values()]
    tensors += [agent.replay.rows, lap.priority, lap.samplable, lap.block_sum, lap.max_priority]
    for module in agent.learner.trained.values():
        tensors += [module.flat, module.target, *module.moments, module.steps, module.keep]
    return tensors


def test_evaluation_and_freezing_stay_on_the_device(agent):
    policy = agent.snapshot()
    agent.freeze(1)
    for act in (policy, agent.snapshot()):
        assert act(torch.randn(MEMBERS, 5, OBSERVATION, device="meta")).device.type == "meta"
    for number in range(1, SMALL.warmup + 5):
        step(agent, number)


def test_these_tests_can_fail(agent):
    with pytest.raises(RuntimeError):
        float(agent.algorithm.scales.reward[0])
    with pytest.raises(RuntimeError):
        agent.algorithm.scales.reward + torch.ones(MEMBERS)
