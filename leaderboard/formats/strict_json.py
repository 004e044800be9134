"""JSON from strangers: no doubled keys, no NaN, no Infinity, nothing but one UTF-8 document."""

from __future__ import annotations

import json
import math
from collections import Counter


def parse(data: bytes) -> object:
    """The document in `data`; ValueError says what is wrong with it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 ({error.reason} at byte {error.start})") from None
    try:
        document: object = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        ((doubled, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"key '{doubled}' is written twice")
    return mapping


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits[:40]} is too large for a number")
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not a JSON number")
