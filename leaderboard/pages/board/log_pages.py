"""What the site shows of the log: leaves and changes for people, checkpoint and tiles for
programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from leaderboard.formats.log import bundle, tiles
from leaderboard.formats.log.leaf import RegisterLeaf
from leaderboard.pages.board import words
from leaderboard.pages.board.facts import BoardEntry, Facts
from leaderboard.pages.board.templates import Templates

TILED = 32
"""Newest checkpoints whose partial tiles the site has."""


@dataclass(frozen=True)
class Change:
    """A leaf, as pages of changes tell it."""

    index: int
    at: int
    text: str
    reason: str | None
    href: str | None

    @property
    def bundle(self) -> str:
        """The page of leaves that has it."""
        return f"{self.index // bundle.WIDTH:03d}"


@dataclass(frozen=True)
class Bundle:
    """A page of leaves, the first and the last one included."""

    name: str
    first: int
    last: int


def _bundles(size: int) -> Iterator[Bundle]:
    """The pages of a log of this size."""
    for number in range(-(-size // bundle.WIDTH)):
        first = number * bundle.WIDTH
        yield Bundle(f"{number:03d}", first, min(size, first + bundle.WIDTH) - 1)


def changes_of(facts: Facts, most: int) -> list[Change]:
    """What was decided about keys, suites and rows, the newest first."""
    about = {
        index: entry
        for entry in facts.entries
        for index in entry.leaves
        if index != entry.announced.index
    }
    changes = list[Change]()
    for index in range(facts.log.size - 1, -1, -1):
        leaf = facts.leaves[index]
        if len(changes) < most and not isinstance(leaf, RegisterLeaf):
            reason = facts.reasons.get(index)
            text = words.told(leaf)
            if leaf.kind == "entry":
                text = f"Entry {index}: {text}"
            changes.append(Change(index, leaf.at, text, reason, _href(about.get(index))))
    return changes


def _href(entry: BoardEntry | None) -> str | None:
    """The page of the entry that a leaf is about."""
    return None if entry is None else f"entry/{entry.index}.html"


def log_files(facts: Facts, templates: Templates) -> Iterator[tuple[str, bytes]]:
    """Pages of the log and of its leaves; its checkpoint and tiles for foreign programs."""
    log = facts.log
    pages = list(_bundles(log.size))
    contents = {
        "newest": log.newest,
        "witnessed": log.witnessed(),
        "trust": log.board.root,
        "witnesses": _witnesses(facts),
        "width": bundle.WIDTH,
        "bundles": pages[::-1],
    }
    yield "log.html", templates.render("log.html", 0, here="log", **contents)
    for page in pages:
        numbered = list(enumerate(facts.leaves))[page.first : page.last + 1]
        shown = {"leaves": numbered, "first": page.first, "last": page.last}
        yield f"log/{page.name}.html", templates.render("leaves.html", 1, **shown)

    # Foreign programs read the checkpoint and the tiles of what it covers.
    if log.newest is not None:
        yield "checkpoint", log.newest.note.content()
        yield from tiles.entry_files(log.leaves[: log.newest.checkpoint.size])
        written: dict[str, bytes] = {}
        for size in list(log.signed)[-TILED:]:
            written.update(tiles.tile_files(log.tree, size))
        yield from sorted(written.items())


def _witnesses(facts: Facts) -> list[dict[str, object]]:
    """What each witness of the trust root saw last."""
    witnesses = list[dict[str, object]]()
    for key in facts.log.board.root.witnesses.keys:
        seen = [
            (size, time)
            for size, signed in facts.log.signed.items()
            for verifier, time in signed.cosigned.items()
            if verifier.public_key == key.public_key
        ]
        size, time = max(seen, default=(None, None))
        witnesses.append({"name": key.name, "key": key.key_id, "size": size, "at": time})
    return witnesses
