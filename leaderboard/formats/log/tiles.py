"""The log as C2SP tiles (c2sp.org/tlog-tiles), which foreign programs read over HTTP.

Everything here follows from the leaves; it is written for readers and read by none of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leaderboard.formats.log.merkle import Tree

WIDTH = 256
"""Hashes of a full tile, and leaves of a full bundle."""
HEIGHT = 8
"""Levels of the tree that a tile spans."""


def tile_files(tree: Tree, size: int) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every tile of the tree of `size` leaves.

    A partial tile that became full since has the path of the full one: a site that is made again
    for every checkpoint keeps those of former checkpoints too.
    """
    level, count = 0, size
    while count:
        for number in range(-(-count // WIDTH)):
            width = min(WIDTH, count - number * WIDTH)
            yield tile_path(str(level), number, width), _tile(tree, level, number, width)
        level, count = level + 1, count // WIDTH


def _tile(tree: Tree, level: int, number: int, width: int) -> bytes:
    """The hashes of a tile: each covers 256^level leaves."""
    covered = WIDTH**level
    first = number * WIDTH
    nodes = range(first, first + width)
    return b"".join(tree.subtree(node * covered, (node + 1) * covered) for node in nodes)


def entry_files(leaves: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of every bundle of leaves: each leaf after its length, in two bytes."""
    for number, first in enumerate(range(0, len(leaves), WIDTH)):
        bundle = leaves[first : first + WIDTH]
        content = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in bundle)
        yield tile_path("entries", number, len(bundle)), content


def tile_path(level: str, number: int, width: int) -> str:
    """`tile/<level>/<number>`, with `.p/<width>` for a partial tile.

    The number has three digits a folder, and all but the last begin with x: x001/x234/067.
    """
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{level}/{path}{partial}"
