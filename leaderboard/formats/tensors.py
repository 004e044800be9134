"""Reads files of tensors: safetensors, whose bytes hold numbers and nothing that can run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from leaderboard.formats.document import DocumentError, convert, parse_json

Array = NDArray[np.generic]

TYPES: dict[str, type[np.generic]] = {
    "U8": np.uint8,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
}
"""Element types that files of tensors may have."""
LARGEST_HEADER = 16 << 20
"""Bytes of a header that are read."""


def parse_tensors(content: bytes, location: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Tensors and metadata in the bytes of a safetensors file; DocumentError if it is none."""
    # safetensors checks the header against the tensors, but gives metadata of files on disk only.
    # So the header is read here first; its length stands in the first eight bytes.
    length = int.from_bytes(content[:8], "little")
    if length > LARGEST_HEADER:
        raise DocumentError(f"{location}: its header has {length} bytes, at most {LARGEST_HEADER}")
    header = parse_json(content[8 : 8 + length], location)
    if not isinstance(header, dict):
        raise DocumentError(f"{location}: its header is not a mapping")
    metadata = convert(dict[str, str], header.get("__metadata__", {}), f"{location}: metadata")

    try:
        parts = deserialize(content)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise DocumentError(f"{location}: is not a readable safetensors file ({error})") from None

    # Only element types that files of ours have are read.
    tensors = {}
    for name, part in parts:
        if part["dtype"] not in TYPES:
            types = ", ".join(TYPES)
            raise DocumentError(
                f"{location}: {name} is of type {part['dtype']}, expected one of {types}"
            )
        array = np.frombuffer(part["data"], dtype=TYPES[part["dtype"]])
        tensors[name] = array.reshape(part["shape"])
    return tensors, metadata
