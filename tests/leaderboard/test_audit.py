"""Runs that are not as sparse as they say, signed properly: `verify` counts, and refuses them."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from helpers.forge import failed
from helpers.runs import finished_run, made_once
from helpers.tensors import TENSORS, Run
from leaderboard.formats.layout import MASKS
from leaderboard.verification.verify import verify


def refused(verdict, sentence):
    """The check of tensors refused an entry in these words."""
    assert failed(verdict) == "tensors", verdict.checks[-1]
    assert sentence in verdict.checks[-1].detail


def tensors(verdict):
    """The check that this is about."""
    (check,) = (check for check in verdict.checks if check.name == "tensors")
    return check


def test_what_is_written_back_unchanged_is_accepted(entry):
    for regime in ("dense", "sst", "dst", "mst"):
        assert Run(entry, regime).sign().accepted
    assert tensors(verify(entry)).status == "passed"


def test_a_dead_weight_that_lives_is_found(entry):
    run = Run(entry, "sst")
    dead = np.argwhere(run.weight("critic", "q.0") == 0)[0]
    run.weight("critic", "q.0")[tuple(dead)] = 1e-30
    refused(run.sign(), "critic: 1 weights of q.0.weight are not zero where its mask is")


def keep_one_more(run):
    """The last mask of the actor's first layer keeps a weight more."""
    mask = run.mask("last", "actor", "policy.0")
    bits = np.unpackbits(mask)
    bits[np.flatnonzero(bits[: run.weight("actor", "policy.0").size] == 0)[0]] = 1
    mask[:] = np.packbits(bits)


@pytest.mark.parametrize("follow", [False, True])
def test_one_more_weight_than_the_regime_keeps_is_found(entry, follow):
    run = Run(entry, "dst")
    keep_one_more(run)
    if follow:
        run.rechain("actor")
        run.result["weights"]["actor"]["active"] += 1
    refused(
        run.sign(),
        "actor: the last masks of policy.0.weight keep [99]"
        if follow
        else "does not begin and end at the masks",
    )


@pytest.fixture
def pruned(tiny_suite, shared, tmp_path):
    """A copy of an entry whose only run was pruned from dense to sparse."""

    def make():
        return finished_run(tiny_suite, shared / "pruned", "regimes=[d2s]")

    made = made_once(shared, "pruned-entry", make)
    return Path(shutil.copytree(made.parent, tmp_path / "pruned")) / made.name


def test_a_run_that_finished_has_pruned_all_that_it_was_to_prune(pruned):
    """A run that failed may have stopped on the way, a finished one did not."""
    run = Run(pruned, "d2s")
    assert run.sign().accepted, "as it was"
    active = run.result["weights"]["actor"]["active"]
    keep_one_more(run)
    run.rechain("actor")
    run.result["weights"]["actor"]["active"] += 1
    refused(run.sign(), "actor: the last masks of policy.0.weight keep [99]")

    # Nor does it help to hand in no tensors.
    verdict = run.sign_files(dict.fromkeys(TENSORS))
    refused(verdict, f"actor: states {active + 1} weights of")


def test_a_dense_run_in_place_of_a_sparse_one_is_found(entry):
    liar, dense = Run(entry, "sst"), Run(entry, "dense")
    liar.tensors, liar.chains = dense.tensors, dense.chains
    for name in ("weights", "mask_first", "mask_last"):
        liar.result[name] = dense.result[name]
    refused(liar.sign(), "actor: the first masks of policy.0.weight keep [256] weights, planned 98")


def test_a_static_run_in_place_of_a_dynamic_one_is_found(entry):
    liar, static = Run(entry, "dst"), Run(entry, "sst")
    liar.tensors, liar.chains = static.tensors, static.chains
    for name in ("weights", "mask_first", "mask_last", "rewires"):
        liar.result[name] = static.result[name]
    refused(liar.sign(), "actor: was rewired 0 times, its regime rewires 5 times")


def test_weights_that_a_run_states_are_those_of_its_last_masks(entry):
    run = Run(entry, "mst")
    stated = run.result["weights"]["critic"]
    total, active = stated["total"], stated["active"]
    stated["active"] -= 1
    masks = f"its last masks have {active} active of {total}"
    refused(run.sign(), f"critic: states {active - 1} weights of {total}, {masks}")
    del run.result["weights"]["critic"]
    refused(run.sign(), f"critic: states no weights, {masks}")


def test_rewires_that_the_chain_does_not_hold_are_found(entry):
    run = Run(entry, "mst")
    run.result["rewires"]["critic"] += 1
    refused(run.sign(), "critic: states 6 rewires, its chain has 5")


@pytest.mark.parametrize("digest", ["0" * 64, "f" * 64])
@pytest.mark.parametrize(("end", "field"), [(0, "mask_first"), (-1, "mask_last")])
def test_a_chain_begins_and_ends_at_the_masks_that_are_there(entry, digest, end, field):
    run = Run(entry, "mst")
    run.chains["critic"][end] = run.result[field]["critic"] = digest
    refused(run.sign(), "critic: the chain of digests does not begin and end at the masks")


def test_weights_moved_from_one_layer_to_another_are_found(entry):
    run = Run(entry, "dst")
    for layer, value in (("policy.0", 1), ("policy.1", 0)):
        mask, size = run.mask("last", "actor", layer), run.weight("actor", layer).size
        bits = np.unpackbits(mask)
        position = np.flatnonzero(bits[:size] != value)[0]
        bits[position] = value
        mask[:] = np.packbits(bits)
        if value == 0:
            run.weight("actor", layer).reshape(-1)[position] = 0.0
    run.rechain("actor")
    refused(run.sign(), "actor: the last masks of policy.0.weight keep")


def test_tensors_that_are_absent_for_some_runs_alone_are_refused(entry):
    """They would hide those of one regime."""
    verdict = Run(entry, "mst").sign_files(dict.fromkeys(TENSORS))
    refused(verdict, "absent for 1 of 4 runs")


def test_absent_tensors_are_said_and_refused_if_complete_is_asked(entry):
    for regime in ("dense", "sst", "dst", "mst"):
        verdict = Run(entry, regime).sign_files(dict.fromkeys(TENSORS))
    assert verdict.accepted
    assert (tensors(verdict).status, tensors(verdict).detail) == ("unknown", "absent, not checked")
    refused(verify(entry, complete=True), "absent for 4 of 4 runs")


def test_a_static_mask_that_moved_is_found(entry):
    """Last masks elsewhere than the first ones, as many weights, and not a single rewire."""
    run = Run(entry, "sst")
    mask = run.mask("last", "critic", "q.0")
    bits = np.unpackbits(mask)
    size = run.weight("critic", "q.0").size
    dead, alive = (np.flatnonzero(bits[: size // 2] == value)[0] for value in (0, 1))
    bits[[dead, alive]] = [1, 0]
    mask[:] = np.packbits(bits)
    run.weight("critic", "q.0").reshape(-1)[alive] = 0.0
    run.rechain("critic")
    refused(run.sign(), "critic: the chain of digests does not begin and end at the masks")

    # Nor does a chain from one to the other help: a static module has none.
    run.chains["critic"].insert(0, run.result["mask_first"]["critic"])
    run.result["rewires"]["critic"] = 1
    refused(run.sign(), "critic: its masks changed, which its regime never does")


def test_a_part_of_the_tensors_is_not_enough(entry):
    refused(
        Run(entry, "mst").sign_files({"masks.safetensors": None}),
        "has encoder.safetensors, critic.safetensors, actor.safetensors, but not all",
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}      ", hashlib.sha512(b"").digest()],
)
@pytest.mark.parametrize("name", TENSORS)
def test_bytes_that_are_no_tensors_are_refused(entry, name, content):
    assert failed(Run(entry, "sst").sign_files({name: content})) == "tensors"


CRITIC = "does not hold exactly the critic's tensors, by name, shape and type"


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        (
            MASKS,
            lambda t: t.popitem(),
            "does not hold the first and last mask of every layer",
        ),
        (
            MASKS,
            lambda t: t.update({k: v.astype(np.int8) for k, v in t.items()}),
            "is of type I8, expected one of U8, ",
        ),
        (MASKS, lambda t: t.update({k: v.astype(np.float32) for k, v in t.items()}), "bits"),
        (MASKS, lambda t: t.update({k: v[:-1] for k, v in t.items()}), "bits"),
        (MASKS, lambda t: t.update({k: np.zeros((), np.float32) for k in t}), "bits"),
        (
            MASKS,
            lambda t: t.update({"first/value/q.0.weight": np.zeros(1, np.uint8)}),
            "and no others",
        ),
        ("critic.safetensors", lambda t: t.update({k: v[0] for k, v in t.items()}), CRITIC),
        ("critic.safetensors", lambda t: t.update({k: v[:1] for k, v in t.items()}), CRITIC),
        ("critic.safetensors", lambda t: t.update({"q.0.bias": t["q.0.bias"][..., :-1]}), CRITIC),
        ("critic.safetensors", lambda t: t.pop("q.0.bias"), CRITIC),
        ("critic.safetensors", lambda t: t.update({"q.7": t.pop("q.0.weight")}), CRITIC),
        ("critic.safetensors", lambda t: t.update({"hidden": np.ones(9, np.float32)}), CRITIC),
        (
            "critic.safetensors",
            lambda t: t.update({k: v.astype(np.float64) for k, v in t.items()}),
            CRITIC,
        ),
        ("actor.safetensors", lambda t: t.clear(), "does not hold exactly the actor's tensors"),
    ],
)
def test_tensors_of_another_shape_are_refused(entry, file, change, sentence):
    run = Run(entry, "sst")
    change(run.tensors[file])
    refused(run.sign(), sentence)


def test_weights_that_are_no_numbers_are_refused_of_a_run_that_finished(entry):
    run = Run(entry, "dense")
    run.weight("actor", "policy.0")[0, 0, 0] = np.nan
    refused(run.sign(), "actor: has weights that are not finite, and its run finished")


def test_metadata_that_no_mask_has_are_refused(entry):
    run = Run(entry, "sst")
    weights = save(run.tensors["actor.safetensors"], metadata={"note": "x"})
    masks = save(run.tensors[MASKS], metadata={"digests": "{}"})
    refused(Run(entry, "sst").sign_files({"actor.safetensors": weights}), "the actor's tensors")
    refused(
        run.sign_files({"actor.safetensors": save(run.tensors["actor.safetensors"]), MASKS: masks}),
        "are of other modules than the plan's",
    )
