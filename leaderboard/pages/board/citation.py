"""How others point to an entry: its badge and its citation."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from leaderboard.pages.badge import Badge
from leaderboard.pages.board import words
from leaderboard.pages.board.facts import BoardEntry, Facts
from leaderboard.pages.board.standings import Row


def badge_of(entry: BoardEntry, rows: Sequence[Row], count: int) -> Badge:
    """What the badge of an entry says: its level, and the place of its best row of `count`."""
    leaf = entry.announced.registration.leaf
    name = f"{leaf.suite} v{leaf.version}"
    placed = [(row.rank.best, row.rank.worst, row) for row in rows if row.rank is not None]
    outcome = f"{entry.level}, no rank"
    if placed:
        best, worst, row = min(placed, key=lambda place: place[:2])
        places = f"{best}" if best == worst else f"{best}\N{EN DASH}{worst}"
        outcome = f"{entry.level}, {row.regime.name} {places} of {count}"
    return Badge(name, outcome, settled=bool(placed))


def bibtex(facts: Facts, entry: BoardEntry, url: str) -> Markup:
    """A citation. Braces and backslashes of a name would end its field."""
    leaf = entry.announced.registration.leaf
    submitter = entry.announced.submitter
    name = submitter.person.name if submitter.person else f"key {submitter.key}"
    author = "".join(letter for letter in name if letter not in "{}\\%@")
    lines = (
        f"@misc{{mst-bench-{entry.index},",
        f"  author = {{{{{author}}}}},",
        f"  title = {{{{{leaf.suite} version {leaf.version}, entry {entry.index}}}}},",
        f"  year = {{{words.day(entry.logged.leaf.at)[:4]}}},",
        f"  howpublished = {{\\url{{{url}entry/{entry.index}.html}}}},",
        f"  note = {{leaf {entry.index} of {facts.origin}, key {submitter.key}}}",
        "}",
    )
    return Markup("\n").join(lines)
