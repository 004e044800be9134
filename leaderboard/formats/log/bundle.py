"""Leaves as the board's repository keeps them: 256 lines of canonical JSON in a file.

A full file never changes, and a file only grows, so what was appended is what a diff shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import rfc8785

from leaderboard.formats import strict_json
from leaderboard.formats.document import DocumentError

WIDTH = 256
"""Leaves of a full bundle, as in an entry bundle of C2SP tiles."""
LONGEST_LEAF = 65_535
"""Bytes of a leaf: its length has two bytes in C2SP's bundles."""
LARGEST = WIDTH * (LONGEST_LEAF + 1)
"""Bytes of a bundle's file that are read."""
MOST_BUNDLES = 4096
"""About a million leaves."""
NAME = re.compile(r"([0-9]{3}|[1-9][0-9]{3})\.jsonl", re.ASCII)


def bundle_name(number: int) -> str:
    """The file of a bundle: `000.jsonl`."""
    return f"{number:03}.jsonl"


def bundle_number(name: str) -> int | None:
    """The number of the bundle in a file of this name; None if no bundle is called so."""
    matched = NAME.fullmatch(name)
    return int(matched[1]) if matched else None


def leaf_bytes(document: object) -> bytes:
    """A leaf of this content: canonical JSON (RFC 8785). ValueError if it is too long."""
    leaf = rfc8785.dumps(document)  # type: ignore[arg-type]
    if len(leaf) > LONGEST_LEAF:
        raise ValueError(f"a leaf has at most {LONGEST_LEAF} bytes, this one has {len(leaf)}")
    return leaf


def parse_bundle(content: bytes, location: str) -> list[bytes]:
    """The leaves in the bytes of a bundle; DocumentError says what is wrong with them.

    Every line is the one way to write its document: two lines that say the same are equal.
    """
    if not content.endswith(b"\n"):
        raise DocumentError(f"{location}: does not end with a line feed")
    lines = content[:-1].split(b"\n", WIDTH)
    if len(lines) > WIDTH:
        raise DocumentError(f"{location}: has more than {WIDTH} leaves")
    for number, line in enumerate(lines, 1):
        _check_leaf(line, f"{location}: line {number}")
    return lines


def _check_leaf(line: bytes, location: str) -> None:
    """DocumentError unless a line is a leaf: a mapping as canonical JSON."""
    if len(line) > LONGEST_LEAF:
        raise DocumentError(f"{location}: has {len(line)} bytes, at most {LONGEST_LEAF} are read")
    try:
        document = strict_json.parse(line)
        canonical = rfc8785.dumps(document)  # type: ignore[arg-type]
    except ValueError as error:
        raise DocumentError(f"{location}: is no leaf: {error}") from None
    if not isinstance(document, dict):
        raise DocumentError(f"{location}: is no leaf: expected a mapping")
    if canonical != line:
        raise DocumentError(f"{location}: is no leaf: not canonical JSON")


def bundle_files(leaves: Sequence[bytes], first: int = 0) -> dict[str, bytes]:
    """Name and bytes of the bundles of a log, from the one that holds leaf `first` on."""
    return {
        bundle_name(start // WIDTH): b"".join(
            leaf + b"\n" for leaf in leaves[start : start + WIDTH]
        )
        for start in range(first // WIDTH * WIDTH, len(leaves), WIDTH)
    }
