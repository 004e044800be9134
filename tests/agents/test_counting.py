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
    counted = size(shapes, triples("mst"), SMALL.flops)
    kept = 0
    for module in loop.agent.modules().values():
        mask = module.parameters.mask
        kept += module.parameters.flat.numel() if mask is None else int(mask.sum())
    assert counted.active == kept
    assert counted.active_flops < counted.flops


def test_sizes_of_the_papers():
    def millions(suite):
        sizes = make_plan(load(suite)).sizes
        tasks = ("dog-run", "humanoid-run")
        return [round(sizes[f"{task}/dense"].parameters / 1e6, 2) for task in tasks]

    # Facts of the published code.
    assert millions("dmc-hard") == [3.99, 3.89]
    assert millions("scale-5x") == [95.96, 95.49]
    assert millions("scale-362m")[0] == pytest.approx(362, rel=0.01)
    assert MRQSpec().scaled(5, 5).depth == 10


def test_a_matched_network_never_has_more_and_one_unit_more_would():
    plan = make_plan(load("dmc-hard-controls"))
    for task, (observation, action) in {"dog-run": (223, 38), "humanoid-run": (67, 21)}.items():
        target = plan.sizes[f"{task}/sst-ac"].active
        matched = plan.sizes[f"{task}/dense-matched"].parameters
        assert 0.99 * target < matched <= target

        # The next width.
        width = plan.own[f"{task}/dense-matched"].settings["width"]
        shape = TaskShape(observation, action, 500, terminates=False)
        shapes = MRQSpec().with_width(width + 1).shapes(shape)
        assert size(shapes, triples("dense"), lambda weights: 0.0).parameters > target
