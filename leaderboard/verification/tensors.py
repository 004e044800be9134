"""Whether sparse means sparse: a run's densities, masks and rewires, recomputed from its tensors, without torch.

What lies between the first and the last mask of a module is a chain of digests: self-reported, but its ends and its length are
not, since the plan says how often a regime rewires.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from leaderboard.formats import strict_json
from leaderboard.formats.statement import MODULES

FILES = {
    "encoder": "policy.safetensors",
    "actor": "policy.safetensors",
    "critic": "critic.safetensors",
}
"""Where the weights of a module are."""
MASKS = "masks.safetensors"
TENSORS = (*dict.fromkeys(FILES.values()), MASKS)
LARGEST = 8 << 30
"""Bytes of a file of tensors that are read."""

Bits = NDArray[np.uint8]
Layers = dict[str, Bits]
"""Layer name -> mask [copies, in, out], 0 or 1."""


class AuditError(ValueError):
    """The tensors are not what the entry states; the text says how."""


def audit(folder: Path, run: dict[str, Any], regime: dict[str, Any]) -> None:
    """Check one run whose tensors lie in `folder` against the plan's `regime` of each module. AuditError names a deviation."""
    weights = {module: _weights(folder, module) for module in MODULES}
    masks, chains = _masks(folder, weights)
    for module in MODULES:
        first, last = (masks[when, module] for when in ("first", "last"))
        chain = chains.get(module)
        if not isinstance(chain, list) or not chain:
            raise AuditError(f"{module}: the masks' file has no chain of digests")
        if (chain[0], chain[-1]) != (_digest(first), _digest(last)):
            raise AuditError(f"{module}: the chain of digests does not begin and end at the masks")
        if (run["mask_first"].get(module), run["mask_last"].get(module)) != (chain[0], chain[-1]):
            raise AuditError(f"{module}: states the digests of other masks than those in its file")
        if run["rewires"].get(module) != len(chain) - 1:
            raise AuditError(
                f"{module}: states {run['rewires'].get(module)} rewires, its chain has {len(chain) - 1}"
            )
        _check_density(
            module,
            first,
            last,
            run["weights"].get(module),
            regime[module],
            run["status"] == "finished",
        )
        if run["status"] == "finished":  # a failed one stopped early, and its weights may be NaN
            _check_rewires(module, len(chain) - 1, run["updates"][module], regime[module])
            _check_dead(module, weights[module], last)


def _weights(folder: Path, module: str) -> dict[str, NDArray[Any]]:
    """Linear weights [copies, in, out] of a module by layer."""
    path = folder / FILES[module]
    found = _read(path)[0]
    layers = {
        name.removeprefix(f"{module}/"): found[name]
        for name in sorted(found)
        if name.startswith(f"{module}/")
    }
    layers = {name: array for name, array in layers.items() if name.endswith(".weight")}
    if not layers or any(array.ndim != 3 or array.dtype.kind != "f" for array in layers.values()):
        raise AuditError(f"{path.name}: does not hold the {module}'s weights [copies, in, out]")
    return layers


def _masks(
    folder: Path, weights: dict[str, dict[str, NDArray[Any]]]
) -> tuple[dict[tuple[str, str], Layers], dict[str, Any]]:
    """First and last masks, eight to a byte, with the weights' shapes; and the digests of every rewire."""
    packed, metadata = _read(folder / MASKS)
    wanted = {
        f"{when}/{module}/{name}"
        for when in ("first", "last")
        for module in MODULES
        for name in weights[module]
    }
    if set(packed) != wanted:
        raise AuditError(
            f"{MASKS}: does not hold the first and last mask of every layer, and no others"
        )
    masks: dict[tuple[str, str], Layers] = {}
    for key in sorted(wanted):
        when, module, name = key.split("/", 2)
        shape, bits = weights[module][name].shape, packed[key]
        size = math.prod(shape)
        if (
            bits.dtype != np.uint8
            or bits.shape != (-(-size // 8),)
            or np.unpackbits(bits)[size:].any()
        ):
            raise AuditError(f"{MASKS}: {key} is not {size} bits")
        masks.setdefault((when, module), {})[name] = np.unpackbits(bits, count=size).reshape(shape)
    try:
        chains = strict_json.parse(metadata.get("digests", "").encode())
    except ValueError as error:
        raise AuditError(f"{MASKS}: its digests are not JSON: {error}") from None
    if not isinstance(chains, dict):
        raise AuditError(f"{MASKS}: its digests are no mapping")
    return masks, chains


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors and metadata of a safetensors file."""
    if path.stat().st_size > LARGEST:
        raise AuditError(f"{path.name}: is larger than {LARGEST >> 30} GiB")
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, TypeError, ValueError) as error:
        raise AuditError(f"{path.name}: is not a readable safetensors file ({error})") from None


def _digest(layers: Layers) -> str:
    """sha256 over names, shapes and bits, in the order of the names (agents/sparsity/masks.py writes the same)."""
    digest = hashlib.sha256()
    for name, mask in sorted(layers.items()):
        digest.update(f"{name} {mask.shape}\n".encode() + np.ascontiguousarray(mask).tobytes())
    return digest.hexdigest()


def _check_density(
    module: str, first: Layers, last: Layers, stated: Any, regime: dict[str, Any], finished: bool
) -> None:
    """Counted weights are the stated ones, and as many in each copy as the regime keeps: exactly, before and after."""
    total, copies = sum(mask.size for mask in last.values()), next(iter(last.values())).shape[0]
    active = sum(int(mask.sum()) for mask in last.values())
    if stated != {"total": total, "active": active}:
        raise AuditError(
            f"{module}: states weights {stated}, its last masks have {active} active of {total}"
        )
    parts = regime["parts"]
    dense = total // copies
    chosen = sum(
        mask.size // copies
        for name, mask in last.items()
        if not parts or name.partition(".")[0] in parts
    )
    sparsity = 0.0 if regime["distribution"] == "dense" else regime["sparsity"]
    sparse = dense - chosen + round((1.0 - sparsity) * chosen)
    begins = dense if regime["schedule"] == "prune" else sparse
    ends = dense if regime["schedule"] == "grow" else sparse
    for when, layers, kept in (("first", first, begins), ("last", last, ends)):
        counts = [sum(int(mask[copy].sum()) for mask in layers.values()) for copy in range(copies)]
        on_its_way = when == "last" and begins != ends and not finished
        if counts != [kept] * copies and not on_its_way:
            raise AuditError(
                f"{module}: its {when} masks keep {counts} weights, its regime keeps {kept} in each network"
            )
    if begins == ends and any(int(first[name].sum()) != int(last[name].sum()) for name in last):
        raise AuditError(
            f"{module}: a layer has another number of active weights at the end than at the beginning"
        )


def _check_rewires(module: str, found: int, updates: int, regime: dict[str, Any]) -> None:
    """As many as the plan's schedule makes: at every interval after the start and before the end, or, for one that prunes or
    grows, up to it."""
    start, end = int(regime["start"] * updates), int(regime["end"] * updates)
    last = end - 1 if regime["schedule"] == "exchange" else end
    expected = (
        0
        if regime["schedule"] == "never"
        else max(0, last // regime["interval"] - start // regime["interval"])
    )
    if found != expected:
        raise AuditError(
            f"{module}: was rewired {found} times, its regime rewires {expected} times"
        )


def _check_dead(module: str, weights: dict[str, NDArray[Any]], last: Layers) -> None:
    """No weight that the last mask leaves out is anything but zero."""
    for name, mask in last.items():
        alive = int(np.count_nonzero(weights[name][mask == 0]))
        if alive:
            raise AuditError(f"{module}: {alive} weights of {name} are not zero where its mask is")
