"""Masks during training: what every rewire must leave behind."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agents.sparsity import masks as masks_module
from agents.sparsity.regime import ModuleRegime
from helpers.toy import HEADLINE, MODULES, SMALL, Loop, assert_same

REGIMES = list(HEADLINE)
ALL_KEPT = dict.fromkeys(MODULES, ModuleRegime("static", distribution="uniform", sparsity=0.0))
"""Dense, through the masked path."""


def active_by_copy(module, member):
    """Active weights: [layers, copies]."""
    rows = slice(member * module.parameters.copies, (member + 1) * module.parameters.copies)
    masks = module.parameters.layout.views(module.parameters.mask)
    counts = [
        masks[f"{layer.name}.weight"][rows].flatten(1).sum(1) for layer in module.masks.layers
    ]
    return torch.stack(counts)


def check_module(name, module):
    """Exact counts in every layer of every member, and zeros where its mask is."""
    for member, regime in enumerate(REGIMES):
        counts, _ = HEADLINE[regime][name].counts(module.masks.layers)
        expected = [[count] * module.parameters.copies for count in counts]
        assert active_by_copy(module, member).tolist() == expected, (name, regime)

    dead = ~module.parameters.mask
    assert not module.parameters.flat.detach()[dead].any(), "dead weights stay exactly zero"
    for moment in module.parameters.moments:
        assert not moment[dead].any(), "and so do their moments"


@pytest.fixture(scope="module")
def checked_loop():
    """A run of all regimes whose masks are checked after every agent step; (name, regime, rewires)
    that came by.
    """
    loop = Loop(range(4), REGIMES)
    seen = set()
    for _ in range(200):
        loop.step()
        for name, module in loop.agent.modules().items():
            check_module(name, module)
            rewires = zip(REGIMES, module.masks.rewires, strict=True)
            seen |= {(name, regime, count) for regime, count in rewires}
    return loop, seen


def test_densities_are_exact_and_dead_weights_zero_after_every_rewire(checked_loop):
    _, seen = checked_loop
    assert ("critic", "dst", 5) in seen, "140 critic updates to 105: rewires at 20, 40, 60, 80, 100"
    assert ("critic", "mst", 5) in seen
    assert not any(rewires for _, regime, rewires in seen if regime in ("dense", "sst"))
    assert {name for name, regime, rewires in seen if regime == "mst" and rewires} == {"critic"}


def test_each_rewire_adds_one_digest_to_the_chain(checked_loop):
    loop, _ = checked_loop
    for module in loop.agent.modules().values():
        for member in range(4):
            chain = module.masks.chains[member]
            assert len(chain) == module.masks.rewires[member] + 1
            assert (len(set(chain)) > 1) == (module.masks.rewires[member] > 0)


def test_update_counts_are_equal_across_regimes_and_those_of_the_plan(checked_loop):
    loop, _ = checked_loop
    assert dict(loop.agent.counts()) == SMALL.updates(200) == dict.fromkeys(MODULES, 140)


def test_grown_weights_and_their_moments_are_zero():
    loop = Loop([0], ["dst"])
    critic = loop.agent.learner.trained["critic"]
    while loop.agent.learner.masks["critic"].rewires[0] == 0:
        before = critic.mask.clone()
        loop.step()
    grown = critic.mask & ~before
    assert grown.any()
    for vector in (critic.flat.detach(), *critic.moments):
        assert not vector[grown].any()


def exchanged_at_the_first_rewire(regrown):
    """A critic before and after a rewire: its weights and moments, its masks, and the weights that
    were dropped and grew again, all of them flat.

    It calls the rewire itself: from outside, an update and its rewire are one.
    """
    way = ModuleRegime.of("rigl", sparsity=0.6, interval=20, regrown=regrown)
    loop = Loop([0], [dict.fromkeys(MODULES, way)]).run(70)
    learner = loop.agent.learner
    critic, masks = learner.trained["critic"], learner.masks["critic"]
    gradient = torch.randn(critic.layout.size, generator=torch.Generator().manual_seed(5))
    vectors = (critic.flat.detach(), *critic.moments)
    before = [vector.clone() for vector in vectors]
    mask = critic.mask.clone()

    # What RigL drops, layer by layer: the smallest active weights.
    dropped = torch.zeros_like(mask)
    amounts = masks._amounts(0, 20)
    weights, flags = critic.layout.views(before[0]), critic.layout.views(dropped)
    active = critic.layout.views(mask)
    for layer, (drop, _) in zip(masks.layers, amounts, strict=True):
        name = f"{layer.name}.weight"
        size = torch.where(active[name], weights[name].abs(), torch.inf).flatten(1)
        rows = flags[name].view(2, -1)
        rows.scatter_(1, size.argsort(dim=1, stable=True)[:, :drop], torch.ones_like(rows))

    masks._rewire([0], 20, gradient)
    again = dropped & critic.mask
    assert again.any() and (dropped & ~critic.mask).any()
    return before, vectors, mask, critic.mask, again


def test_a_weight_that_is_dropped_and_grows_again_at_once_keeps_value_and_moments():
    """Such weights, 41 percent of all that grew, began anew; in RigL's own code they do not."""
    before, after, mask, new_mask, again = exchanged_at_the_first_rewire("keep")
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old[again], new[again])
        assert torch.equal(old[mask & new_mask], new[mask & new_mask])
        assert not new[new_mask & ~mask].any(), "what was not active starts at zero"
        assert not new[~new_mask].any()
    assert before[0][again].all()


def test_a_regime_may_start_such_a_weight_at_zero():
    before, after, mask, new_mask, again = exchanged_at_the_first_rewire("zero")
    stays = mask & new_mask & ~again
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old[stays], new[stays])
        assert not new[~stays].any()


def test_what_becomes_of_such_weights_is_seen_in_no_first_mask_and_in_every_later_one():
    chains = []
    for regrown in ("keep", "zero"):
        way = ModuleRegime.of("rigl", sparsity=0.6, interval=20, regrown=regrown)
        loop = Loop([0], [{**HEADLINE["dense"], "critic": way}]).run(130)
        chains.append(loop.agent.learner.masks["critic"].chains[0])
    assert chains[0][:2] == chains[1][:2], "the first rewire changes the same masks"
    assert chains[0][-1] != chains[1][-1]


def test_how_many_members_are_ranked_together_changes_nothing(monkeypatch):
    names = ["dst", "mst", "set", "d2s"]
    together = Loop(range(4), names).run(90)
    monkeypatch.setattr(masks_module, "AT_A_TIME", 1)
    one_by_one = Loop(range(4), names).run(90)
    for member in range(4):
        assert_same(together.member(member), one_by_one.member(member))
    critics = [loop.agent.learner.masks["critic"] for loop in (together, one_by_one)]
    assert critics[0].exchanged == critics[1].exchanged
    assert critics[0].chains == critics[1].chains


def test_a_seeds_initial_mask_is_the_same_in_every_regime():
    regimes = ("sst", "dst", "mst")
    loop = Loop(["one"] * 3, regimes)
    for name, masks in loop.agent.learner.masks.items():
        chains = zip(regimes, masks.chains, strict=True)
        sparse = {
            chain[0] for regime, chain in chains if HEADLINE[regime][name].distribution != "dense"
        }
        assert len(sparse) == 1


def test_both_q_networks_have_masks_of_their_own():
    critic = Loop([0], ["sst"]).agent.learner.trained["critic"]
    mask = critic.layout.views(critic.mask)["q.0.weight"]
    assert not torch.equal(mask[0], mask[1])


def test_a_checkpoint_of_fewer_members_is_an_error():
    masks = Loop([0, 1], ["set", "set"]).agent.learner.masks["critic"]
    state = masks.state()
    with pytest.raises(ValueError, match="zip"):
        masks.restore(state | {"growth": state["growth"][:1]})


def last_digest():
    """The digest of the critic's masks after some rewires."""
    loop = Loop([7], ["dst"]).run(120)
    return loop.agent.learner.masks["critic"].chains[0][-1]


def test_masks_are_the_same_in_two_processes():
    script = f"{inspect.getsource(last_digest)}\nprint(last_digest())"
    python = [sys.executable, "-c", f"from helpers.toy import Loop\n{script}"]
    tests = Path(__file__).parents[1]
    done = subprocess.run(python, cwd=tests, capture_output=True, text=True, check=True)
    assert done.stdout == last_digest() + "\n"


def test_dense_through_the_mask_machinery_is_dense_without_it():
    plain, masked = Loop([3], ["dense"]), Loop([3], [ALL_KEPT])
    assert plain.agent.learner.trained["critic"].mask is None
    assert masked.agent.learner.trained["critic"].mask is not None
    assert_same(plain.run(150).member(0), masked.run(150).member(0))
