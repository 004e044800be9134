"""First masks are drawn again: a run cannot choose them, nor call those of another regime its
own."""

from dataclasses import replace

import numpy as np
import pytest

from harness.entries import reeval
from harness.entries.first_masks import first_mask_defects
from harness.entries.reeval import reevaluate
from harness.entries.verified import accepted
from helpers.rollouts import believed
from helpers.tensors import MODULES, Run
from leaderboard.formats.keys import one_use_key
from leaderboard.formats.layout import MASKS
from leaderboard.verification.verify import verify


def defects(entry, verdict=None):
    """What drawing its first masks again says of an entry that verifies."""
    signed = accepted(entry, verdict or verify(entry))
    return first_mask_defects(signed.plan, signed.runs)


def test_the_masks_of_a_real_entry_are_those_of_its_seeds(tiny_entry):
    assert defects(tiny_entry) == []


def of_regime(regime, modules=MODULES):
    """The sentences about a run of a regime."""
    beginning = f"cartpole-swingup/{regime}/0"
    end = "its first masks are not those that its seed draws"
    return {f"{beginning}: {module}: {end}" for module in modules}


def disguised_as_dynamic(entry):
    """A static run under DST's name: first masks and the chain of rewires are invented."""
    liar, static = Run(entry, "dst"), Run(entry, "sst")
    rewires = {module: len(chain) - 1 for module, chain in liar.chains.items()}
    liar.tensors, liar.chains = static.tensors, static.chains
    for name in ("weights", "mask_last"):
        liar.result[name] = static.result[name]

    for module in MODULES:
        for layer, weight in liar.weights(module).items():
            packed = liar.tensors[MASKS][f"first/{module}/{layer}"]
            bits = np.unpackbits(packed, count=weight.size).reshape(len(weight), -1)
            packed[:] = np.packbits(np.roll(bits, 1, axis=1))
        liar.chains[module] = ["0" * 64] * (rewires[module] + 1)
        liar.rechain(module)
    return liar.sign()


def test_a_static_run_under_the_name_of_a_dynamic_one_is_found(entry):
    verdict = disguised_as_dynamic(entry)
    assert verdict.accepted, "the files alone do not tell"
    assert set(defects(entry, verdict)) == of_regime("dst")


def test_a_dynamic_run_under_the_name_of_a_static_one_is_found(entry):
    """Its last masks are called its first ones."""
    liar, dynamic = Run(entry, "sst"), Run(entry, "dst")
    liar.tensors = dynamic.tensors
    for module in MODULES:
        for layer in liar.weights(module):
            last = liar.tensors[MASKS][f"last/{module}/{layer}"]
            liar.tensors[MASKS][f"first/{module}/{layer}"] = last
        liar.rechain(module)
    verdict = liar.sign()
    assert verdict.accepted, "the files alone do not tell"
    assert set(defects(entry, verdict)) == of_regime("sst")


def test_a_re_evaluation_refuses_an_entry_for_its_first_masks(entry, monkeypatch):
    monkeypatch.setattr(reeval, "roll_out", believed)
    assert reevaluate(entry, one_use_key()).stated.accepted
    disguised_as_dynamic(entry)
    stated = reevaluate(entry, one_use_key()).stated
    assert (set(stated.defects), stated.level) == (of_regime("dst"), "L0")


@pytest.mark.parametrize("regime", ["dense", "mst"])
def test_the_masks_of_another_seed_are_found(tiny_entry, regime):
    """Such as those of the best of many seeds under the number of a planned one."""
    signed = accepted(tiny_entry, verify(tiny_entry))
    moved = [replace(run, seed=1) for run in signed.runs if run.regime == regime]
    triples = signed.plan.regimes[regime]
    sparse = [module for module in MODULES if triples[module].distribution != "dense"]
    assert len(first_mask_defects(signed.plan, moved)) == len(sparse)
