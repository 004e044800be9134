"""An entry's page, its data and its badge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from leaderboard.pages.board import data, words
from leaderboard.pages.board.citation import badge_of, bibtex
from leaderboard.pages.board.facts import BoardEntry, Facts
from leaderboard.pages.board.meanings import MEANINGS
from leaderboard.pages.board.standings import Row, entry_reasons
from leaderboard.pages.board.templates import Templates


def entry_files(
    facts: Facts, templates: Templates, entry: BoardEntry, rows: Sequence[Row], ranked: int
) -> Iterator[tuple[str, bytes]]:
    """Page, data and badge of an entry. `ranked`: how many rows of its suite are."""
    badge = badge_of(entry, rows, ranked)
    read = entry.read
    page = templates.render(
        "entry.html",
        1,
        entry=entry,
        rows=rows,
        ranked_count=ranked,
        reasons=entry_reasons(facts, entry),
        results=read.summary.results if read else None,
        sections=Markup(read.sections if read else ""),
        meanings=MEANINGS,
        meaning_of=words.LEVELS,
        tensors=read.tensors if read else None,
        bibtex=bibtex(facts, entry, templates.url),
        badge=badge.text,
    )
    yield f"entry/{entry.index}.html", page
    document = data.entry_document(facts, entry, rows)
    yield f"entry/{entry.index}.json", data.dump(document)
    yield f"badge/{entry.index}.svg", templates.badge(badge)
