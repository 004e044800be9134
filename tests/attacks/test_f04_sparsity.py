"""Whether sparse means sparse: F4.

`verify` sees the first and the last masks; whether the first are those that the seed draws is for a
re-evaluation to say. What lay between them is self-reported until runs are trained again.
"""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from harness.entries.first_masks import first_mask_defects
from harness.entries.verified import accepted
from helpers.forge import failed
from helpers.forged_tensors import MODULES, read_tensors, write_tensors
from helpers.program import call


def take_run(forgery, source, target):
    """The run of `target` is that of `source`; returns its tensors."""
    planned = forgery.plan["sizes"][f"cartpole-swingup/{target}"]
    forgery.copy_run(forgery.run(source), forgery.run(target))
    run = forgery.run(target)
    run["flops"] = {"total": planned["flops"], "active": planned["active_flops"]}
    return run, read_tensors(forgery.path(run))


def dst_under_the_name_of_sst(forgery):
    """The first masks are called what the last ones are."""
    run, tensors = take_run(forgery, "dst", "sst")
    tensors.first = tensors.last
    write_tensors(forgery, run, tensors, dict.fromkeys(MODULES, 0))


def sst_under_the_name_of_dst(forgery):
    """The first masks and the chain are invented."""
    rewires = dict(forgery.run("dst")["rewires"])
    run, tensors = take_run(forgery, "sst", "dst")
    draws = np.random.default_rng(0)
    tensors.first = {
        module: {layer: draws.permuted(mask, axis=1) for layer, mask in layers.items()}
        for module, layers in tensors.last.items()
    }
    write_tensors(forgery, run, tensors, rewires)


def dense_pruned_after_training(forgery):
    """By magnitude, to the number of weights that SST keeps in each layer."""
    kept = read_tensors(forgery.path(forgery.run("sst"))).last
    run, tensors = take_run(forgery, "dense", "sst")
    masks = {
        module: {
            layer: largest(tensors.weights[module][layer], mask) for layer, mask in layers.items()
        }
        for module, layers in kept.items()
    }
    tensors.first = tensors.last = masks
    write_tensors(forgery, run, tensors)


def largest(weights, mask):
    """A mask of the largest weights of each copy, as many as `mask` keeps."""
    chosen = np.zeros_like(mask)
    for copy in range(mask.shape[0]):
        order = np.argsort(-np.abs(weights[copy]).ravel(), kind="stable")
        chosen[copy].ravel()[order[: int(mask[copy].sum())]] = 1
    return chosen


SWAPS = [dst_under_the_name_of_sst, sst_under_the_name_of_dst, dense_pruned_after_training]


@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: swap.__name__)
def test_f4_masks_that_the_seed_does_not_draw_are_found(forgery, swap):
    """`verify` cannot draw masks; what it accepts, a re-evaluation looks at."""
    swap(forgery)
    entry = accepted(forgery.sign().entry, forgery.verdict())
    defects = first_mask_defects(entry.plan, entry.runs)
    assert defects
    assert all(f"/{swapped(swap)}/" in defect for defect in defects)


def swapped(swap):
    return "dst" if swap is sst_under_the_name_of_dst else "sst"


def test_f4_one_regime_under_the_name_of_another_is_refused(forgery):
    """Its policy is real, and returns on this very machine what it claims, to the bit."""
    dst_under_the_name_of_sst(forgery)
    refused = call("reeval", forgery.sign().entry)
    assert refused.returncode == 4, refused.stdout
    assert "first masks" in refused.stdout


def test_f4_a_static_mask_that_moved_is_refused(forgery):
    run, tensors = take_run(forgery, "dst", "sst")
    write_tensors(forgery, run, tensors)
    assert failed(forgery.sign().verdict()) == "tensors"


@pytest.mark.parametrize("name", ["policy.0.kernel", "second/policy.0.weight", "policy.9.bias"])
def test_f4_a_second_network_beside_the_sparse_one_is_refused(forgery, name):
    path = forgery.path(forgery.run("sst"), "actor.safetensors")
    save_file(load_file(path) | {name: np.ones((1, 64, 64), dtype=np.float32)}, path)
    assert failed(forgery.sign().verdict()) == "tensors"


def test_f4_nor_is_one_in_the_biases(forgery):
    """A bias of another shape would be one more layer."""
    path = forgery.path(forgery.run("sst"), "actor.safetensors")
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith(".bias"))
    tensors[name] = np.ones((1, 16, tensors[name].shape[-1]), dtype=np.float32)
    save_file(tensors, path)
    assert failed(forgery.sign().verdict()) == "tensors"


def test_f4_tensors_withheld_for_one_regime_alone_are_missed(forgery):
    for path in forgery.path(forgery.run("sst")).glob("*.safetensors"):
        path.unlink()
    assert failed(forgery.sign().verdict()) == "tensors"


def test_f4_a_dense_network_under_a_sparse_regime_is_refused(forgery):
    run, tensors = take_run(forgery, "dense", "mst")
    write_tensors(forgery, run, tensors, forgery.run("mst")["rewires"])
    assert not forgery.sign().verdict().accepted


def test_f4_a_weight_where_the_mask_is_is_refused(forgery):
    run = forgery.run("sst")
    tensors = read_tensors(forgery.path(run))
    tensors.weights["actor"]["policy.0.weight"] += 1e-30
    write_tensors(forgery, run, tensors, prune=False)
    assert failed(forgery.sign().verdict()) == "tensors"
