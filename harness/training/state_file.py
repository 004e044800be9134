"""A training's state as one safetensors file: tensors by number, their tree as metadata."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from harness.files import Files, dump_json

TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""torch's types -> safetensors' names."""
ALIGNMENT = 8
"""Bytes that the tensors' beginning is a multiple of."""


def write_state(path: Path, state: dict[str, Any], files: Files) -> str:
    """Nested dicts, lists, numbers, text, None and tensors as one file; returns its sha256.

    Written tensor by tensor: the library's own writer holds two more copies of all of them, which
    large networks have no memory for.
    """
    tensors: list[Tensor] = []
    tree = _without_tensors(state, tensors)
    header = _header(tree, tensors)
    digest = hashlib.sha256()

    def chunks() -> Iterator[bytes | memoryview]:
        yield len(header).to_bytes(8, "little")
        yield header
        for tensor in tensors:
            yield tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data

    # The digest is of the bytes as they are written, and needs no second reading.
    def digested() -> Iterator[bytes | memoryview]:
        for chunk in chunks():
            digest.update(chunk)
            yield chunk

    files.write(path, digested())
    return digest.hexdigest()


def read_state(path: Path) -> dict[str, Any]:
    """Inverse of `write_state`."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        tree = json.loads(file.metadata()["tree"])
    state: dict[str, Any] = _with_tensors(tree, tensors)
    return state


def _without_tensors(node: Any, tensors: list[Tensor]) -> dict[str, Any]:
    """The tree with each tensor replaced by its number; `tensors` receives them in that order."""
    if isinstance(node, Tensor):
        tensors.append(node.detach())
        return {"tensor": f"t{len(tensors) - 1}"}
    if isinstance(node, dict):
        return {"dict": {key: _without_tensors(child, tensors) for key, child in node.items()}}
    if isinstance(node, list):
        return {"list": [_without_tensors(child, tensors) for child in node]}

    plain = node is None or isinstance(node, bool | int | float | str)
    assert plain, f"a checkpoint cannot hold {type(node)}"
    return {"value": node}


def _with_tensors(node: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    """Inverse of `_without_tensors`."""
    ((label, content),) = node.items()  # what `_without_tensors` wrote has one key each
    if label == "tensor":
        return tensors[content]
    if label == "dict":
        return {key: _with_tensors(child, tensors) for key, child in content.items()}
    if label == "list":
        return [_with_tensors(child, tensors) for child in content]
    return content


def _header(tree: dict[str, Any], tensors: list[Tensor]) -> bytes:
    """safetensors' header: each tensor's type, shape and place, and our tree."""
    header: dict[str, Any] = {"__metadata__": {"tree": dump_json(tree).decode()}}
    begin = 0
    for number, tensor in enumerate(tensors):
        end = begin + tensor.numel() * tensor.element_size()
        header[f"t{number}"] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end

    # Spaces at its end: readers map the tensors that follow, and want them aligned.
    encoded = json.dumps(header).encode()
    return encoded + b" " * (-len(encoded) % ALIGNMENT)
