"""Strict JSON, for documents of strangers: one UTF-8 document, no doubled key, NaN or Infinity, and
no more of anything than a reader can hold."""

from __future__ import annotations

import json
import math
from collections import Counter

DEEPEST = 64
"""Most levels of lists and mappings in a document."""
MOST_VALUES = 1_000_000
"""Most values in a document, about: a value takes some hundred bytes of memory once it is read."""
LARGEST_NUMBER = 2**63
"""Whole numbers are smaller."""


def parse(content: bytes) -> object:
    """The document in the bytes of a file; ValueError says what is wrong with them."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 ({error.reason} at byte {error.start})") from None

    # Every value but the first of its list or mapping follows a comma, or opens a bracket.
    brackets = text.count("[") + text.count("{")
    if brackets + text.count(",") > MOST_VALUES:
        raise ValueError(f"has more than {MOST_VALUES} values")

    # Python's json takes NaN, doubled keys and infinite numbers: each hook refuses one of them.
    try:
        document: object = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None

    # Code that shows or compares a document recurses too, and may start deeper in the stack than
    # the parser did: a document that was just read could end it. Few brackets cannot be deep.
    if brackets > DEEPEST and _deeper(document, DEEPEST):
        raise ValueError("nested too deeply")
    return document


def _deeper(document: object, levels: int) -> bool:
    """Whether a document has more levels than these; it is walked level by level, not recursed."""
    level = [document]
    for _ in range(levels):
        below = list[object]()
        for container in level:
            if isinstance(container, dict):
                below += container.values()
            elif isinstance(container, list):
                below += container
        if not below:
            return False
        level = below
    return any(isinstance(container, dict | list) for container in level)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A mapping. Of two equal keys, readers disagree which one counts."""
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        ((doubled, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"key '{doubled}' is written twice")
    return mapping


def _finite(digits: str) -> float:
    """A number; `float` reads 1e999 as infinity."""
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits[:40]} is too large for a number")
    return value


def _whole(digits: str) -> int:
    """A whole number, of no more digits than code that shows or adds it can take."""
    if len(digits) > 20 or abs(int(digits)) >= LARGEST_NUMBER:
        raise ValueError(f"{digits[:40]} is too large for a number")
    return int(digits)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not a JSON number")
