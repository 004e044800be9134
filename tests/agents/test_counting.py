"""Parameters and operations, counted a second way."""

from dataclasses import replace

import pytest
from torch.utils.flop_counter import FlopCounterMode

from agents.mrq.spec import MRQSpec
from agents.sparsity.counting import dense_weights, size
from agents.spec import TaskShape
from harness.planning.making import make_plan
from harness.planning.reader import load
from helpers.plain_mrq import PlainMRQ
from helpers.toy import ACTION, OBSERVATION, SMALL, TASK, Loop, triples


@pytest.mark.parametrize("scale", [(1, 1, 8), (3, 1, 8), (2, 2, 16)])
def test_parameters_are_those_of_plain_torch_modules(scale):
    width, depth, za_dim = scale
    settings = replace(SMALL, za_dim=za_dim).scaled(width, depth)
    plain = PlainMRQ(settings, OBSERVATION, ACTION)
    counted = sum(
        p.numel() for net in (plain.encoder, plain.critic, plain.actor) for p in net.parameters()
    )
    shapes = settings.shapes(TASK)
    assert size(shapes, triples("dense"), lambda weights: 0.0).parameters == counted


def test_operations_are_those_that_torch_counts():
    loop = Loop([0], ["dense"], SMALL.rehearsal()).run(30)
    with FlopCounterMode(display=False) as counter:
        loop.agent.update()
    counted = counter.get_total_flops()
    stated = SMALL.flops(dense_weights(SMALL.shapes(TASK)))
    assert stated == pytest.approx(counted, rel=0.03), (
        "first layers need no gradient of their input"
    )


def test_active_counts_are_those_of_the_masks():
    loop = Loop([0], ["mst"])
    shapes = SMALL.shapes(TASK)
    found = size(shapes, triples("mst"), SMALL.flops)
    kept = sum(
        int(module.parameters.mask.sum())
        if module.parameters.mask is not None
        else module.parameters.flat.numel()
        for module in loop.agent.modules().values()
    )
    assert found.active == kept
    assert found.active_flops < found.flops


def test_sizes_of_the_papers():
    # Facts of the published code: 1x has 3.99M (dog) and 3.89M (humanoid) parameters, 5x 95.96M
    # and 95.49M.
    one, five, largest = (
        make_plan(load(name)).sizes for name in ("dmc-hard", "dmc-hard-5x", "dmc-hard-362m")
    )
    assert [
        round(one[f"{task}/dense"].parameters / 1e6, 2) for task in ("dog-run", "humanoid-run")
    ] == [3.99, 3.89]
    assert [
        round(five[f"{task}/dense"].parameters / 1e6, 2) for task in ("dog-run", "humanoid-run")
    ] == [95.96, 95.49]
    assert largest["dog-run/dense"].parameters == pytest.approx(362e6, rel=0.01)
    assert MRQSpec().scaled(5, 5).depth == 10


def test_a_matched_network_never_has_more_and_one_unit_more_would():
    plan = make_plan(load("dmc-hard-controls"))
    for task in ("dog-run", "humanoid-run"):
        target, found = (
            plan.sizes[f"{task}/sst-ac"].active,
            plan.sizes[f"{task}/dense-matched"].parameters,
        )
        width = plan.own[f"{task}/dense-matched"].settings["width"]
        wider = MRQSpec().with_width(width + 1)
        observation, action = {"dog-run": (223, 38), "humanoid-run": (67, 21)}[task]
        shape = TaskShape(observation, action, 500, terminates=False)
        assert (
            found <= target < size(wider.shapes(shape), triples("dense"), lambda w: 0.0).parameters
        )
        assert found > 0.99 * target
