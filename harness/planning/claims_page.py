"""docs/claims.md: every claim of the registry, with what judges it. `make tables` writes it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from harness.claims import FILES, UNJUDGED, read_file
from harness.claims.words import Row, in_words, rows_of
from harness.planning.finding import seeds_in_words

TITLES = {
    "paper-a": "Module-Specific Training: arXiv 2510.12096",
    "paper-b": "Static pruning: arXiv 2506.17204",
    "lists": "Lists of experiments",
    "ours": "Ours",
}
"""File of the registry -> its heading."""

MARK = "<!-- What follows is made by `make tables`, from harness/claims/*.yaml. -->\n"
"""The line of the page from which on it is made; what stands before is written by hand."""


def claims_page(page: str) -> str:
    """The whole page, its beginning from the page as it is."""
    sections = [page.partition(MARK)[0] + MARK]
    for name in FILES:
        rows = chain.from_iterable(rows_of(*item) for item in read_file(name).items())
        sections.append(f"## {TITLES[name]}\n\n{_table(rows)}")
    suites = "".join(f"* `{suite}` {why}.\n" for suite, why in UNJUDGED.items())
    return "\n".join([*sections, f"## Suites that judge no claim\n\n{suites}"])


def _table(rows: Iterable[Row]) -> str:
    headers = ("id", "claim", "source", "suites", "tests", "seeds for 80 %")
    lines = [_line(headers), "|---" * len(headers) + "|\n"]
    for row in rows:
        tests = in_words(row.tests) if row.part else ""
        suites = ", ".join(f"`{suite}`" for suite in row.part.suites) if row.part else ""
        seeds = seeds_in_words(row) if row.part else ""
        judged = "; ".join(words for words in (tests, row.otherwise) if words)
        lines.append(_line((row.id, row.statement, row.source, suites, judged, seeds)))
    return "".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
