"""Captured steps, without a GPU: replayed from a tape they learn the same, to the bit."""

import gc

import pytest
import torch

# Private, as PyTorch has no public way to count operations: its documentation names these two.
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from agents.members import recording
from agents.members.draws import Draws
from agents.members.recording import WARM_UP, Recorder
from helpers.tape import Tape
from helpers.toy import HEADLINE, OTHER_RESIDUALS, SMALL, Loop, assert_same


@pytest.fixture
def taped(monkeypatch):
    """Agents on the CPU record their steps; gives how many were played again."""
    monkeypatch.setitem(recording.GRAPHS, "cpu", Tape)
    monkeypatch.setattr(Tape, "played", 0)
    return lambda: Tape.played


def both(taped, change=lambda loop: loop.run(130), **options):
    """The same loop twice, as it is written and from tapes."""
    written, played = (
        Loop(range(4), HEADLINE, record=record, **options).run(60) for record in (False, True)
    )
    for loop in (written, played):
        change(loop)
    assert taped() > 0
    for member in range(4):
        assert_same(written.member(member), played.member(member))
    return written, played


def test_a_recorded_step_learns_what_the_written_one_learns(taped):
    """Over rewires, target copies and ends of episodes."""
    written, played = both(taped)
    rewires = [module.masks.rewires for module in played.agent.modules().values()]
    assert rewires == [module.masks.rewires for module in written.agent.modules().values()]
    assert max(max(counts) for counts in rewires) >= 3

    # All that is learned and written in 190 agent steps, but for the first calls of each step and
    # the one that captures it.
    steps = {"begin": 190, "complete": 190, "act": 130, "encoder": 130, "critic": 130, "actor": 130}
    assert taped() == sum(steps.values()) - len(steps) * (WARM_UP + 1)


@pytest.mark.parametrize("blocks", OTHER_RESIDUALS, ids=lambda blocks: "-".join(blocks.values()))
def test_so_it_does_however_residuals_are_built(taped, blocks):
    both(taped, blocks=blocks)


def test_so_it_does_in_bfloat16(taped):
    both(taped, products=torch.bfloat16)


def test_a_failed_member_is_frozen_in_what_is_recorded_afterwards(taped):
    def fail(loop):
        loop.run(40)
        loop.agent.freeze(2)
        loop.before = loop.member(2)
        loop.run(60)

    written, played = both(taped, fail)
    for loop in (written, played):
        for key in (key for key in loop.before if "/w/" in key):
            assert torch.equal(loop.before[key], loop.member(2)[key])
    assert not played.agent.act(torch.zeros(4, 1, 7), explore=True)[2].any()


def test_a_resumed_agent_records_anew_and_goes_on_the_same(taped):
    unbroken, first = (Loop(range(4), HEADLINE).run(100) for _ in range(2))
    second = Loop(range(4), HEADLINE)
    second.agent.restore(first.agent.state(), first.agent.replay_rows([0] * 4))
    second.worlds = first.worlds
    unbroken.run(60)
    second.run(60)
    for member in range(4):
        assert_same(unbroken.member(member), second.member(member))


class Counting(TorchDispatchMode):
    """How many operations are called that do more than look at a tensor in another way."""

    count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += not operation.is_view
        return operation(*args, **(kwargs or {}))


def test_little_is_left_to_launch_one_by_one(taped, monkeypatch):
    """Operations of an agent step outside of its recorded steps: on a GPU each is a launch."""
    loop = Loop(range(4), ["dense"] * 4).run(SMALL.warmup + SMALL.target_cycle + 1)
    replay = Tape.replay

    def uncounted(tape):
        with _disable_current_modes():
            replay(tape)

    monkeypatch.setattr(Tape, "replay", uncounted)
    for _ in range(5):
        with Counting() as counting:
            loop.step()
        assert 10 < counting.count <= 25


def test_no_garbage_is_collected_during_a_capture(taped):
    """What it frees could give memory back to a GPU, which breaks the capture off."""
    collected = list[bool]()
    step = Recorder("cpu").step(lambda: collected.append(gc.isenabled()))
    for _ in range(WARM_UP + 1):
        step()
    assert collected == [True] * WARM_UP + [False]
    assert gc.isenabled()


def test_what_is_drawn_ahead_is_what_is_drawn_in_time():
    def draws(ahead):
        return Draws(
            [torch.Generator().manual_seed(seed) for seed in (1, 2)], (3,), "normal", ahead=ahead
        )

    ahead, in_time = draws(True), draws(False)
    for step in range(150):
        assert torch.equal(ahead.next(), in_time.next())
        if step in (10, 100):  # in the first block and in the second
            again = draws(True)
            again.next()  # has drawn ahead by itself
            again.restore(ahead.state())
            expected = draws(False)
            expected.restore(ahead.state())
            assert torch.equal(again.next(), expected.next())


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.add_(float(x.sum())),
        lambda x: x.add_(torch.tensor(2.0)),
        lambda x: x[x > 0].zero_(),
    ],
    ids=["reads back", "brings a number from the host", "asks how many"],
)
def test_what_a_gpu_cannot_record_is_refused_here_too(taped, function):
    x = torch.ones(3)
    step = Recorder("cpu").step(lambda: function(x))
    for _ in range(WARM_UP):
        step()
    with pytest.raises(AssertionError):
        step()


def test_a_number_that_changes_on_the_host_is_seen_to_stay(taped):
    """So the comparisons above would notice one."""
    x, numbers = torch.zeros(()), iter(range(1, 100))
    step = Recorder("cpu").step(lambda: x.add_(next(numbers)))
    for _ in range(WARM_UP + 3):
        step()
    assert float(x) == 1 + 2 + 3 + 4 + 4 + 4
