"""Whether sparse means sparse: densities, masks and rewires of a run, recomputed from its tensors,
without torch.

What lies between the first and the last mask of a module is a chain of digests: self-reported, but
its ends and its length are not, since the plan says how often a regime rewires. Whether the first
masks are those that the seed gives is for a re-evaluation to say, which draws them again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.formats.document import DocumentError, convert, parse_json
from leaderboard.formats.layout import MASKS, weights_file
from leaderboard.formats.network import Network, Networks, Regime, Triple
from leaderboard.formats.run import Count, StatedRun
from leaderboard.formats.tensors import Array, parse_tensors

Weights = dict[str, Array]
"""Layer name -> weights [copies, in, out]."""
Masks = dict[str, NDArray[np.uint8]]
"""Layer name -> mask [copies, in, out], 0 or 1."""


@dataclass(frozen=True)
class ModuleTensors:
    """What the tensors of one module show; layers by name, in one order."""

    chain: tuple[str, ...]
    """Digests of the masks, from the first over every rewire to the last, as the file states."""
    digest_first: str
    digest_last: str
    """Of the masks themselves."""
    first: dict[str, tuple[int, ...]]
    """Weights that the first masks keep, of each layer and copy."""
    last: dict[str, tuple[int, ...]]
    """The same of the last masks."""
    undead: dict[str, int]
    """Weights of each layer that are not zero although the last mask leaves them out."""
    finite: bool
    """Whether every weight and bias is a finite number."""


# -- measure: what the files hold --


def measure(
    contents: Mapping[str, bytes], networks: Networks, location: str
) -> dict[str, ModuleTensors]:
    """What the tensors of one run show, by module. `contents`: its files of tensors by name.

    DocumentError if they are not the tensors of these networks, and their first and last masks.
    """
    packed, metadata = parse_tensors(contents[MASKS], f"{location}/{MASKS}")
    _check_names(set(packed), networks, location)

    # The metadata hold a list of digests for each module, and nothing else.
    if set(metadata) != {"digests"}:
        raise DocumentError(f"{location}/{MASKS}: its metadata are not the digests alone")
    digests = parse_json(metadata["digests"].encode(), f"{location}/{MASKS}: digests")
    chains = convert(dict[str, tuple[str, ...]], digests, f"{location}/{MASKS}: digests")
    if set(chains) != set(networks):
        raise DocumentError(f"{location}/{MASKS}: digests: are of other modules than the plan's")

    measured = {}
    for module, network in networks.items():
        tensors = _tensors(contents, module, network, location)
        weights = {
            f"{layer}.weight": tensors[f"{layer}.weight"] for layer in sorted(network.layers)
        }
        first = _unpack(packed, f"first/{module}", weights, location)
        last = _unpack(packed, f"last/{module}", weights, location)
        measured[module] = ModuleTensors(
            chain=chains[module],
            digest_first=mask_digest(first),
            digest_last=mask_digest(last),
            first=_kept(first),
            last=_kept(last),
            undead={
                name: int(np.count_nonzero(weights[name][mask == 0])) for name, mask in last.items()
            },
            finite=all(bool(np.isfinite(array).all()) for array in tensors.values()),
        )
    return measured


def _tensors(
    contents: Mapping[str, bytes], module: str, network: Network, location: str
) -> dict[str, Array]:
    """Weights and biases of a module by name. Its file holds exactly the network's tensors: a
    tensor more could hide a second network, one less leaves a layer unchecked."""
    file = weights_file(module)
    tensors, metadata = parse_tensors(contents[file], f"{location}/{file}")
    shapes = {name: array.shape for name, array in tensors.items()}
    floats = all(array.dtype == np.float32 for array in tensors.values())
    if shapes != network.tensors() or not floats or metadata:
        raise DocumentError(
            f"{location}/{file}: does not hold exactly the {module}'s tensors, by name, shape and"
            " type"
        )
    return tensors


def _check_names(names: set[str], networks: Networks, location: str) -> None:
    """The file of masks has the first and the last mask of every layer, and nothing else."""
    expected = set[str]()
    for module, network in networks.items():
        for layer in network.layers:
            expected |= {f"first/{module}/{layer}.weight", f"last/{module}/{layer}.weight"}
    if names != expected:
        raise DocumentError(
            f"{location}/{MASKS}: does not hold the first and last mask of every layer,"
            " and no others"
        )


def _unpack(packed: Mapping[str, Array], prefix: str, layers: Weights, location: str) -> Masks:
    """Masks of a module, which the file holds eight to a byte, in the shapes of its weights."""
    masks = {}
    for layer, weights in layers.items():
        size = weights.size
        octets = packed[f"{prefix}/{layer}"]
        defect = DocumentError(f"{location}/{MASKS}: {prefix}/{layer} is not {size} bits")
        if octets.dtype != np.uint8 or octets.shape != (-(-size // 8),):
            raise defect

        # The last byte may hold fewer than eight.
        bits = np.unpackbits(octets.view(np.uint8))
        if bits[size:].any():
            raise defect
        masks[layer] = bits[:size].reshape(weights.shape)
    return masks


def _kept(masks: Masks) -> dict[str, tuple[int, ...]]:
    """Weights that masks keep, of each layer and copy."""
    return {name: tuple(mask.sum(axis=(1, 2)).tolist()) for name, mask in masks.items()}


def mask_digest(masks: Masks) -> str:
    """sha256 over names, shapes and bits, in the order of the names.

    agents/sparsity/masks.py writes the same.
    """
    digest = hashlib.sha256()
    for name, mask in sorted(masks.items()):
        digest.update(f"{name} {mask.shape}\n".encode())
        digest.update(np.ascontiguousarray(mask).tobytes())
    return digest.hexdigest()


# -- audit: what the run states and its regime asks for --


def audit(
    measured: Mapping[str, ModuleTensors], run: StatedRun, networks: Networks, regime: Regime
) -> None:
    """Compare a run's tensors with what it states and what the plan asks of each module.

    DocumentError names a deviation.
    """
    for module, network in networks.items():
        tensors = measured[module]
        triple = regime[module]
        _check_chain(module, tensors, run)
        _check_still(module, tensors, triple)
        _check_stated_weights(module, tensors, network, run.weights.get(module))
        _check_counts(module, tensors, network, run.finished)

        # A failed run stopped early, and its weights may be NaN.
        if run.finished:
            _check_rewires(module, len(tensors.chain) - 1, run.updates[module], triple)
            _check_dead(module, tensors)


def _check_chain(module: str, tensors: ModuleTensors, run: StatedRun) -> None:
    """The chain of digests begins and ends at the masks, and the run states its ends and length."""
    chain = tensors.chain
    if not chain:
        raise DocumentError(f"{module}: the masks' file has no chain of digests")
    if (chain[0], chain[-1]) != (tensors.digest_first, tensors.digest_last):
        raise DocumentError(f"{module}: the chain of digests does not begin and end at the masks")
    if (run.mask_first.get(module), run.mask_last.get(module)) != (chain[0], chain[-1]):
        raise DocumentError(f"{module}: states the digests of other masks than those in its file")
    if run.rewires.get(module) != len(chain) - 1:
        stated = run.rewires.get(module)
        raise DocumentError(f"{module}: states {stated} rewires, its chain has {len(chain) - 1}")


def _check_still(module: str, tensors: ModuleTensors, triple: Triple) -> None:
    """A mask that never changes has not, whether the run finished or failed."""
    if triple.schedule == "never" and len(tensors.chain) > 1:
        raise DocumentError(f"{module}: its masks changed, which its regime never does")


def _check_stated_weights(
    module: str, tensors: ModuleTensors, network: Network, stated: Count | None
) -> None:
    """The run states as many weights as the network has, and as its last masks keep."""
    total = network.weights
    active = sum(sum(kept) for kept in tensors.last.values())
    if stated != Count(total, active):
        shown = "no weights" if stated is None else f"{stated.active} weights of {stated.total}"
        raise DocumentError(
            f"{module}: states {shown}, its last masks have {active} active of {total}"
        )


def _check_counts(module: str, tensors: ModuleTensors, network: Network, finished: bool) -> None:
    """Each copy of each layer keeps exactly as many weights as the plan says, before and after."""
    for name, layer in network.layers.items():
        _check_layer(module, f"{name}.weight", "first", tensors.first, layer.first)

        # A failed run that prunes or grows may have stopped anywhere on its way.
        if finished or layer.first == layer.last:
            _check_layer(module, f"{name}.weight", "last", tensors.last, layer.last)


def _check_layer(
    module: str, layer: str, when: str, kept: Mapping[str, tuple[int, ...]], expected: int
) -> None:
    if any(count != expected for count in kept[layer]):
        raise DocumentError(
            f"{module}: the {when} masks of {layer} keep {list(kept[layer])} weights, planned"
            f" {expected} in each network"
        )


def _check_rewires(module: str, rewires: int, updates: int, triple: Triple) -> None:
    """A module was rewired as often as its schedule says.

    One that exchanges weights is rewired at every multiple of `interval` after `start` and before
    `end`, one that prunes or grows also at `end`.
    """
    start = int(triple.start * updates)
    end = int(triple.end * updates)
    last = end - 1 if triple.schedule == "exchange" else end
    expected = max(0, last // triple.interval - start // triple.interval)
    if triple.schedule == "never":
        expected = 0
    if rewires != expected:
        raise DocumentError(
            f"{module}: was rewired {rewires} times, its regime rewires {expected} times"
        )


def _check_dead(module: str, tensors: ModuleTensors) -> None:
    """Every weight that the last mask leaves out is zero, and every other one a number."""
    if not tensors.finite:
        raise DocumentError(f"{module}: has weights that are not finite, and its run finished")
    for layer, undead in tensors.undead.items():
        if undead:
            raise DocumentError(
                f"{module}: {undead} weights of {layer} are not zero where its mask is"
            )
