"""What only a GPU can show.

python -m pytest tests/agents/test_cuda.py -n0
"""

import os
from contextlib import contextmanager

# Read when cuBLAS is first used; deterministic mode asks for it.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import pytest
import torch

from agents.members.recording import CudaGraph
from harness.training.precision import prepare
from helpers.program import run_process
from helpers.toy import HEADLINE, Loop, assert_same

DEVICE = "cuda"
pytestmark = pytest.mark.cuda


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


def test_deterministic_mode_repeats_and_refuses_nothing_that_learning_needs():
    prepare("float32", DEVICE, deterministic=True)
    try:
        first, second = loop().run(150), loop().run(150)
        first.agent.probe()
        same(first, second)
    finally:
        torch.use_deterministic_algorithms(False)


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


def test_a_run_is_trained_broken_off_resumed_signed_and_accepted(tmp_path, tiny_suite):
    train = ("run", "--suite", tiny_suite, "--device", DEVICE, "--out", tmp_path)
    assert run_process(*train, "--max-wall", "6").returncode in (0, 3)
    assert run_process(*train).returncode == 0
    (entry,) = tmp_path.glob("*/entry.dsse.json")
    assert run_process("verify", entry).returncode == 0
