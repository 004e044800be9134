"""Tensors of a forged run: what a forger can make of weights and masks so that digests fit."""

import hashlib
import json
import math
from dataclasses import dataclass

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from harness.files import dump_json
from leaderboard.verification.tensors import mask_digest

MODULES = ("encoder", "critic", "actor")


@dataclass
class Tensors:
    """What the files of one run hold: by module, then by name or layer."""

    weights: dict
    first: dict
    """First masks, 0 or 1, in the shapes of the weights."""
    last: dict
    chains: dict
    """Digests of the masks from the first to the last."""


def read_tensors(folder):
    """The tensors of a run's folder."""
    weights = {module: load_file(folder / f"{module}.safetensors") for module in MODULES}
    packed = load_file(folder / "masks.safetensors")
    with safe_open(folder / "masks.safetensors", "numpy") as file:
        chains = json.loads(file.metadata()["digests"])
    masks = {"first": {}, "last": {}}
    for key, octets in packed.items():
        when, module, layer = key.split("/", 2)
        shape = weights[module][layer].shape
        bits = np.unpackbits(octets, count=math.prod(shape)).reshape(shape)
        masks[when].setdefault(module, {})[layer] = bits
    return Tensors(weights, masks["first"], masks["last"], chains)


def write_tensors(forgery, run, tensors, rewires=None, prune=True):
    """Writes tensors of a run and states what follows from them.

    `rewires`: the length of each module's chain, whose middle is invented; None: as it was, if the
    ends are. `prune`: weights that the last masks leave out become zero.
    """
    folder = forgery.path(run)
    for module in MODULES:
        ends = mask_digest(tensors.first[module]), mask_digest(tensors.last[module])
        count = run["rewires"][module] if rewires is None else rewires[module]
        tensors.chains[module] = _chain(*ends, count)
        run["mask_first"][module], run["mask_last"][module] = ends
        run["rewires"][module] = count
        if prune:
            _prune(tensors.weights[module], tensors.last[module])
        save_file(tensors.weights[module], folder / f"{module}.safetensors")
        total = sum(mask.size for mask in tensors.last[module].values())
        active = sum(int(mask.sum()) for mask in tensors.last[module].values())
        run["weights"][module] = {"total": total, "active": active}
    left_out = sum(count["total"] - count["active"] for count in run["weights"].values())
    run["parameters"]["active"] = run["parameters"]["total"] - left_out

    masks = {"first": tensors.first, "last": tensors.last}
    packed = {
        f"{when}/{module}/{layer}": np.packbits(mask)
        for when, modules in masks.items()
        for module, layers in modules.items()
        for layer, mask in layers.items()
    }
    digests = {"digests": dump_json(tensors.chains).decode()}
    save_file(packed, folder / "masks.safetensors", digests)


def _chain(first, last, rewires):
    """A chain of digests of a length, its middle invented."""
    if rewires == 0:
        return [first]
    middle = [hashlib.sha256(str(at).encode()).hexdigest() for at in range(rewires - 1)]
    return [first, *middle, last]


def _prune(weights, masks):
    for layer, mask in masks.items():
        weights[layer] = (weights[layer] * mask).astype(weights[layer].dtype)
