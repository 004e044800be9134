"""Strict JSON, for documents of strangers: one UTF-8 document, no doubled key, NaN or Infinity, and
no more of anything than a reader can hold."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from itertools import accumulate

DEEPEST = 64
"""Most levels of lists and mappings in a document."""
MOST_VALUES = 1_000_000
"""Most values in a document, about: a value takes some hundred bytes of memory once it is read."""
LARGEST_NUMBER = 2**63
"""Whole numbers are smaller."""
STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string, or one that never ends: read once, whatever is in it."""
OTHERS = re.compile(r"[^\[\]{}]+")
"""What is no bracket."""


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

    # Python's parser recurses in C: under a high recursion limit, which some libraries set for all
    # of a process, depth ends the process. Few brackets cannot be deep.
    if brackets > DEEPEST and _depth(text) > DEEPEST:
        raise ValueError("nested too deeply")

    # Python's json takes NaN, doubled keys and infinite numbers: each hook refuses one of them.
    try:
        document: object = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:  # whoever asks is nearly as deep as Python goes
        raise ValueError("nested too deeply") from None
    return document


def _depth(text: str) -> int:
    """Levels of lists and mappings that a parser reaches, at most.

    Up to the first error, strings here are those of JSON, and no parser reads on after it.
    """
    brackets = OTHERS.sub("", STRING.sub("", text))
    return max(accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0)


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
