"""What only a GPU can show of the agents; tests/harness/test_cuda_cohort.py goes on with runs.

    python -m pytest tests/agents/test_cuda.py --noconftest -n0

It needs torch, numpy and pytest alone.
"""

import os
from contextlib import contextmanager

# Read when cuBLAS is first used; deterministic mode asks for it.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import numpy as np
import pytest
import torch

from agents.diagnostics.figures import diagnose
from agents.members.acting import Acting
from agents.members.recording import CudaGraph
from harness.training.precision import prepare
from helpers.toy import HEADLINE, Loop, assert_same

DEVICE = "cuda"
pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def loop(keys=range(4), regimes=HEADLINE, **options):
    """A toy loop on the GPU."""
    return Loop(keys, regimes, device=DEVICE, **options)


@contextmanager
def never_waiting():
    """Whatever waits for the device in here is an error."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def same(first, second):
    """Bitwise equality of all members of two loops."""
    for member in range(4):
        assert_same(first.member(member), second.member(member))


def test_recorded_steps_learn_what_written_ones_learn():
    written, recorded = loop(record=False).run(190), loop().run(190)

    # Private: nothing public says whether a step is captured.
    assert written.agent.algorithm._learn_critic.graph is None
    assert isinstance(recorded.agent.algorithm._learn_critic.graph, CudaGraph)
    same(written, recorded)


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_so_they_do_in_other_precisions(precision):
    prepare(precision, DEVICE, deterministic=False)
    try:
        products = torch.bfloat16 if precision == "bfloat16" else None
        same(loop(record=False, products=products).run(150), loop(products=products).run(150))
    finally:
        prepare("float32", DEVICE, deterministic=False)


def test_a_failed_member_is_frozen_and_the_others_go_on():
    written, recorded = loop(record=False).run(100), loop().run(100)
    for each in (written, recorded):
        each.agent.freeze(2)
        each.run(60)
    same(written, recorded)


def test_a_resumed_agent_goes_on_the_same():
    unbroken, first = loop().run(100), loop().run(100)
    second = loop()
    second.agent.restore(first.agent.state(), first.agent.replay_rows([0] * 4))
    second.worlds = first.worlds
    same(unbroken.run(60), second.run(60))


def test_a_member_does_not_depend_on_its_neighbours_or_its_place():
    names = list(HEADLINE)
    together, turned = loop().run(160), loop([2, 3, 0, 1], names[2:] + names[:2]).run(160)
    for member in range(4):
        assert_same(together.member(member), turned.member((member + 2) % 4))


def figures(each):
    """Diagnostics of a loop's networks."""
    return diagnose(each.agent.modules(), each.agent.probe())


def test_deterministic_mode_repeats_and_refuses_nothing_that_learning_needs():
    prepare("float32", DEVICE, deterministic=True)
    try:
        first, second = loop().run(150), loop().run(150)
        assert figures(first) == figures(second)
        assert first.agent.check_finite() == [None] * 4
        same(first.run(20), second.run(20))
    finally:
        torch.use_deterministic_algorithms(False)


def test_tasks_that_terminate_are_learned_deterministically_too():
    prepare("float32", DEVICE, deterministic=True)
    try:
        first, second = (loop(terminates=True, episode=7).run(120) for _ in range(2))
        same(first, second)
    finally:
        torch.use_deterministic_algorithms(False)


def test_a_gpu_finds_the_figures_that_a_cpu_finds():
    """In float64 both have learned the same but for the order of sums."""
    gpu = loop(dtype=torch.float64).run(100)
    cpu = Loop(range(4), HEADLINE, dtype=torch.float64).run(100)
    for found, expected in zip(figures(gpu), figures(cpu), strict=True):
        for module, values in expected.items():
            assert found[module] == pytest.approx(values, rel=1e-5, abs=1e-7), module


def test_a_policy_acts_beside_learning_as_it_does_alone():
    """On a stream of its own, as in an evaluation, while updates are queued on the other."""
    each = loop().run(123)
    seen = np.random.default_rng(0).standard_normal((20, 4, 5, 7)).astype(np.float32)
    alone = Acting(each.agent.snapshot(), DEVICE)
    expected = [alone(observation).numpy() for observation in seen]

    beside = Acting(each.agent.snapshot(), DEVICE)
    downloads = []
    for observation in seen:
        each.agent.update()
        downloads.append(beside(observation))
    for download, action in zip(downloads, expected, strict=True):
        assert np.array_equal(download.numpy(), action)


def test_in_float64_a_gpu_learns_what_a_cpu_learns():
    """Draws are the same on every device, so only the order of sums differs."""
    gpu = loop(dtype=torch.float64).run(100)
    cpu = Loop(range(4), HEADLINE, dtype=torch.float64).run(100)
    for member in range(4):
        expected = cpu.member(member)
        for key, tensor in gpu.member(member).items():
            if tensor.is_floating_point():
                torch.testing.assert_close(tensor, expected[key], rtol=1e-7, atol=1e-9, msg=key)
            elif "/mask/" in key:
                assert torch.equal(tensor, expected[key]), key


def test_nothing_in_the_loop_waits_for_the_device():
    """But for the action, which the simulator needs."""
    # Every step is captured, and no target copy or rewire is due in the next four.
    agent = loop().run(123).agent
    observation = torch.zeros((4, 1, 7), device=DEVICE)
    before = agent.counts()["critic"]
    with never_waiting():
        for _ in range(4):
            agent.begin(observation, agent.act(observation, explore=True))
            assert agent.overlaps()
            agent.update()
    assert agent.counts()["critic"] == before + 4
    with pytest.raises(RuntimeError, match="synchroniz"), never_waiting():
        float(agent.algorithm.scales.reward[0])
