"""Files of tensors: safetensors, whose bytes can hold numbers and nothing that runs."""

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


def parse_tensors(data: bytes, location: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Tensors and metadata in the bytes of a safetensors file; DocumentError if it is none."""
    try:
        parts = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise DocumentError(f"{location}: is not a readable safetensors file ({error})") from None

    tensors = {}
    for name, part in parts:
        if part["dtype"] not in TYPES:
            types = ", ".join(TYPES)
            raise DocumentError(
                f"{location}: {name} is of type {part['dtype']}, expected one of {types}"
            )
        array = np.frombuffer(part["data"], dtype=TYPES[part["dtype"]])
        tensors[name] = array.reshape(part["shape"])

    # safetensors checks the header against the data, but hands metadata out for files on disk only:
    # the header, whose length stands in the first eight bytes, is read once more here.
    length = int.from_bytes(data[:8], "little")
    header = parse_json(data[8 : 8 + length], location)
    assert isinstance(header, dict), "safetensors has read it"
    metadata = convert(dict[str, str], header.get("__metadata__", {}), f"{location}: metadata")
    return tensors, metadata
