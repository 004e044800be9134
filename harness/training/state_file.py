"""A training's state as one safetensors file."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from harness.files import dump_json, write_atomic

TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""torch's types -> safetensors' names."""


def write_state(path: Path, state: dict[str, Any]) -> str:
    """Nested dicts, lists, numbers, text, None and tensors as one safetensors file; returns its sha256.

    Tensors are numbered, the tree is in the metadata. Written tensor by tensor: the library's own writer holds two more copies
    of all of them, which large networks have no memory for.
    """
    tensors: list[Tensor] = []

    def replace(value: Any) -> Any:
        if isinstance(value, Tensor):
            tensors.append(value.detach())
            return {"tensor": f"t{len(tensors) - 1}"}
        if isinstance(value, dict):
            return {"dict": {key: replace(item) for key, item in value.items()}}
        if isinstance(value, list):
            return {"list": [replace(item) for item in value]}
        assert value is None or isinstance(value, bool | int | float | str), (
            f"a checkpoint cannot hold {type(value)}"
        )
        return {"value": value}

    header: dict[str, Any] = {"__metadata__": {"tree": dump_json(replace(state)).decode()}}
    end = 0
    for number, tensor in enumerate(tensors):
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[f"t{number}"] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)  # what follows is aligned
    digest = hashlib.sha256()

    def parts() -> Iterator[bytes | memoryview]:
        begins: list[bytes | memoryview] = [len(head).to_bytes(8, "little"), head]
        for part in itertools.chain(begins, (_bytes_of(tensor) for tensor in tensors)):
            digest.update(part)
            yield part

    write_atomic(path, parts())
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> memoryview:
    return tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().data


def read_state(path: Path) -> dict[str, Any]:
    """Inverse of `write_state`."""
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        tree = json.loads(file.metadata()["tree"])

    def restore(node: dict[str, Any]) -> Any:
        ((kind, value),) = node.items()
        if kind == "tensor":
            return tensors[value]
        if kind == "dict":
            return {key: restore(item) for key, item in value.items()}
        return [restore(item) for item in value] if kind == "list" else value

    state: dict[str, Any] = restore(tree)
    return state
