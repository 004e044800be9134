"""Whether sparse means sparse: densities, masks and rewires of a run, recomputed from its tensors,
without torch.

What lies between the first and the last mask of a module is a chain of digests: self-reported, but
its ends and its length are not, since the plan says how often a regime rewires.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leaderboard.formats.document import DocumentError, convert, parse_json
from leaderboard.formats.layout import MASKS, weights_file
from leaderboard.formats.plan import Regime, Triple
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
    sizes: dict[str, int]
    """Weights of one copy of each layer."""
    first: dict[str, tuple[int, ...]]
    """Weights that the first masks keep, of each layer and copy."""
    last: dict[str, tuple[int, ...]]
    """The same of the last masks."""
    undead: dict[str, int]
    """Weights of each layer that are not zero although the last mask leaves them out."""

    @property
    def copies(self) -> int:
        """Networks of the module."""
        return len(next(iter(self.last.values())))


# -- measure: what the files hold --


def measure(
    contents: Mapping[str, bytes], modules: tuple[str, ...], location: str
) -> dict[str, ModuleTensors]:
    """What the tensors of one run show, by module. `contents`: its files of tensors by name.

    DocumentError if they are not the weights, and the first and last masks, of these modules.
    """
    weights = {module: _weights(contents, module, location) for module in modules}
    packed, metadata = parse_tensors(contents[MASKS], f"{location}/{MASKS}")
    _check_names(set(packed), weights, location)

    # The metadata hold a list of digests for each module.
    digests = parse_json(metadata.get("digests", "").encode(), f"{location}/{MASKS}: digests")
    chains = convert(dict[str, tuple[str, ...]], digests, f"{location}/{MASKS}: digests")

    measured = {}
    for module, layers in weights.items():
        first = _unpack(packed, f"first/{module}", layers, location)
        last = _unpack(packed, f"last/{module}", layers, location)
        measured[module] = ModuleTensors(
            chain=chains.get(module, ()),
            digest_first=mask_digest(first),
            digest_last=mask_digest(last),
            sizes={name: mask[0].size for name, mask in last.items()},
            first=_kept(first),
            last=_kept(last),
            undead={
                name: int(np.count_nonzero(layers[name][mask == 0])) for name, mask in last.items()
            },
        )
    return measured


def _weights(contents: Mapping[str, bytes], module: str, location: str) -> Weights:
    """Weights of a module's Linear layers, sorted by name."""
    file = weights_file(module)
    tensors, _ = parse_tensors(contents[file], f"{location}/{file}")
    weights = {name: tensors[name] for name in sorted(tensors) if name.endswith(".weight")}

    # The copies of a module are one axis, so every layer has as many; none of them is empty.
    shapes = [array.shape for array in weights.values()]
    floats = all(array.dtype.kind == "f" for array in weights.values())
    whole = all(len(shape) == 3 and math.prod(shape) > 0 for shape in shapes)
    if not weights or not floats or not whole or len({shape[0] for shape in shapes}) > 1:
        raise DocumentError(
            f"{location}/{file}: does not hold the {module}'s weights [copies, in, out]"
        )
    return weights


def _check_names(names: set[str], weights: Mapping[str, Weights], location: str) -> None:
    """The file of masks has the first and the last mask of every layer, and nothing else."""
    expected = set[str]()
    for module, layers in weights.items():
        for layer in layers:
            expected |= {f"first/{module}/{layer}", f"last/{module}/{layer}"}
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


def audit(measured: Mapping[str, ModuleTensors], run: StatedRun, regime: Regime) -> None:
    """Compare a run's tensors with what it states and what the plan asks of each module.

    DocumentError names a deviation.
    """
    for module in measured:
        tensors = measured[module]
        triple = regime[module]
        _check_chain(module, tensors, run)
        _check_stated_weights(module, tensors, run.weights.get(module))
        _check_density(module, tensors, triple, run.finished)

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


def _check_stated_weights(module: str, tensors: ModuleTensors, stated: Count | None) -> None:
    """The run states as many weights as its last masks have, and as they keep."""
    total = tensors.copies * sum(tensors.sizes.values())
    active = sum(sum(kept) for kept in tensors.last.values())
    if stated != Count(total, active):
        shown = "no weights" if stated is None else f"{stated.active} weights of {stated.total}"
        raise DocumentError(
            f"{module}: states {shown}, its last masks have {active} active of {total}"
        )


def _check_density(module: str, tensors: ModuleTensors, triple: Triple, finished: bool) -> None:
    """Each copy keeps exactly as many weights as the regime does, before and after."""
    begins, ends = _kept_by_regime(tensors, triple)

    # A failed run that prunes or grows may have stopped anywhere on its way.
    _check_copies(module, "first", tensors.first, begins)
    if begins == ends or finished:
        _check_copies(module, "last", tensors.last, ends)
    # Without pruning or growing, no layer gives weights to another.
    moved = any(sum(tensors.first[name]) != sum(tensors.last[name]) for name in tensors.last)
    if begins == ends and moved:
        raise DocumentError(
            f"{module}: a layer has another number of active weights at the end than at the"
            " beginning"
        )


def _kept_by_regime(tensors: ModuleTensors, triple: Triple) -> tuple[int, int]:
    """Weights of one copy that a regime's first and last masks keep."""
    dense = sum(tensors.sizes.values())
    chosen = sum(
        size
        for name, size in tensors.sizes.items()
        if not triple.parts or name.partition(".")[0] in triple.parts
    )
    sparsity = 0.0 if triple.distribution == "dense" else triple.sparsity
    sparse = dense - chosen + round((1.0 - sparsity) * chosen)
    begins = dense if triple.schedule == "prune" else sparse
    ends = dense if triple.schedule == "grow" else sparse
    return begins, ends


def _check_copies(
    module: str, when: str, masks: Mapping[str, tuple[int, ...]], expected: int
) -> None:
    counts = [sum(kept) for kept in zip(*masks.values(), strict=True)]
    if any(count != expected for count in counts):
        raise DocumentError(
            f"{module}: its {when} masks keep {counts} weights, its regime keeps {expected} in each"
            " network"
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
    """Every weight that the last mask leaves out is zero."""
    for layer, undead in tensors.undead.items():
        if undead:
            raise DocumentError(
                f"{module}: {undead} weights of {layer} are not zero where its mask is"
            )
