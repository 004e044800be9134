"""The contract of every regime and of every way to train a module: rows are tested on arrival."""

import itertools

import pytest
import torch

from agents.sparsity import regime as regimes
from agents.sparsity.regime import TRIPLES, ModuleRegime
from agents.sparsity.rewire import GROW_SCORES
from helpers.toy import SMALL, Loop, assert_same

STEPS = 200
EXPECTED = {"never": 0, "exchange": 5, "prune": 4, "grow": 5}
"""Rewires of 140 updates at intervals of 20: below 105, between 28 and 112, up to 105."""


def rows_of(module, member):
    """The rows of a member's copies in a module."""
    return slice(member * module.parameters.copies, (member + 1) * module.parameters.copies)


def active(module, member):
    """Active weights of each layer, copy by copy."""
    masks = module.parameters.layout.views(module.parameters.mask)
    counts = []
    for layer in module.masks.layers:
        of_member = masks[f"{layer.name}.weight"][rows_of(module, member)]
        counts += of_member.flatten(1).sum(1).tolist()
    return counts


def scheduled(module, member):
    """The active weights that its schedule asks for now, as `active` gives them."""
    schedule = module.masks.schedules[member]
    first, last = module.masks.counts[member]
    updates = range(module.parameters.updates + 1)
    latest = max((update for update in updates if schedule.due(update)), default=0)
    progress = schedule.progress(latest)
    counts = []
    for begin, end in zip(first, last, strict=True):
        counts += [round(begin + (end - begin) * progress)] * module.parameters.copies
    return counts


def check_zeros(module, weights, reason):
    """These weights and their moments are exactly zero."""
    for vector in (module.parameters.flat.detach(), *module.parameters.moments):
        assert not vector[weights].any(), reason


def check_contract(names):
    """Trains members of these rows of TRIPLES in all modules as one program, and looks after every
    agent step; returns the loop.
    """
    loop = Loop(range(len(names)), names, steps=STEPS)
    modules = loop.agent.modules()
    before = {}
    for _ in range(STEPS):
        loop.step()
        for part, module in modules.items():
            check_zeros(module, ~module.parameters.mask, "dead weights")
            for member, name in enumerate(names):
                assert active(module, member) == scheduled(module, member), (name, part)
                check_grown(module, member, before.get((part, member)))
                before[part, member] = module.masks.rewires[member], module.parameters.mask

    # In the end: as many rewires as the schedule has, and a digest for each.
    for module, (member, name) in itertools.product(modules.values(), enumerate(names)):
        masks = module.masks
        assert masks.rewires[member] == EXPECTED[TRIPLES[name].schedule], name
        assert len(masks.chains[member]) == masks.rewires[member] + 1
        grows = TRIPLES[name].score is not None
        assert (masks.churn(member) > 0.0) == grows
    return loop


def check_grown(module, member, before):
    """After a rewire, what grew is zero; `before`: rewires and mask one step earlier, or None."""
    if before is None or module.masks.rewires[member] == before[0]:
        return
    flags = torch.zeros(module.parameters.members, dtype=torch.bool)
    flags[member] = True
    of_member = module.parameters.layout.expand(flags.repeat_interleave(module.parameters.copies))
    check_zeros(module, module.parameters.mask & ~before[1] & of_member, "grown weights")


def test_every_row_keeps_the_contract():
    names = list(TRIPLES)
    loop = check_contract(names)
    assert dict(loop.agent.counts()) == SMALL.updates(STEPS)
    for part, module in loop.agent.modules().items():
        density = {name: module.masks.density(member) for member, name in enumerate(names)}
        assert density["dense"] == density["s2d"] == 1.0
        sparse = {density[name] for name in ("static", "rigl", "set", "d2s")}
        assert len(sparse) == 1, part
        assert sparse.pop() == pytest.approx(0.4, abs=0.01), part


def test_every_row_goes_on_as_if_it_had_not_stopped():
    names = list(TRIPLES)
    keys = range(len(names))
    unbroken = Loop(keys, names).run(STEPS)
    stopped = Loop(keys, names).run(97)

    again = Loop(keys, names)
    again.agent.restore(stopped.agent.state(), stopped.agent.replay_rows([0] * len(names)))
    again.worlds = stopped.worlds
    again.run(STEPS - 97)
    for member in keys:
        assert_same(unbroken.member(member), again.member(member))
    for module, masks in unbroken.agent.learner.masks.items():
        assert masks.chains == again.agent.learner.masks[module].chains


def test_eight_regimes_train_as_one_program_and_none_sees_the_others():
    names = ["dense", "sst", "dst", "mst", "swap", "set", "d2s", "s2d"]
    together = Loop(range(8), names).run(STEPS)
    turned = Loop([*range(4, 8), *range(4)], names[4:] + names[:4]).run(STEPS)
    for member in range(8):
        assert_same(together.member(member), turned.member((member + 4) % 8))


def rarely(weight, gradient, generator):
    """A grow score made up here: the smallest gradients grow."""
    return -gradient.abs()


def test_a_new_way_is_one_function_and_one_row(monkeypatch):
    row = regimes.Triple("er", "exchange", "smallest", "grow where the gradient is smallest")
    monkeypatch.setitem(TRIPLES, "rarely", row)
    monkeypatch.setitem(GROW_SCORES, "smallest", rarely)
    check_contract(["rarely", "rigl"])
    masks = Loop([0, 0], ["rarely", "rigl"]).run(STEPS).agent.learner.masks["critic"]
    assert masks.chains[0][0] == masks.chains[1][0] and masks.chains[0][-1] != masks.chains[1][-1]


def test_only_the_named_parts_are_sparse():
    sparse = ModuleRegime.of("static", sparsity=0.6, parts=("zsa", "model"))
    loop = Loop([0], [{"encoder": sparse, "critic": ModuleRegime(), "actor": ModuleRegime()}])
    masks = loop.agent.learner.masks["encoder"].member_masks(0)
    dense = [name for name, mask in masks.items() if mask.all()]
    assert {name.partition(".")[0] for name in dense} == {"zs", "za"}
    chosen = [mask for name, mask in masks.items() if name.partition(".")[0] in ("zsa", "model")]
    assert sum(int(mask.sum()) for mask in chosen) == round(
        0.4 * sum(mask.numel() for mask in chosen)
    )


def test_set_draws_from_a_stream_of_its_own():
    chains = [
        Loop([key], ["set"]).run(STEPS).agent.learner.masks["critic"].chains[0]
        for key in ("one", "one", "other")
    ]
    assert chains[0] == chains[1]
    assert chains[0][-1] != chains[2][-1]
