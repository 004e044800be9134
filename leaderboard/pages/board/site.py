"""Makes the site: path -> bytes of every file, from the facts of a board and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib import resources
from urllib.parse import urlsplit

from leaderboard.formats.keys import key_id
from leaderboard.pages.board import data
from leaderboard.pages.board.entry_page import entry_files
from leaderboard.pages.board.facts import Announced, BoardEntry, Facts, Submitter
from leaderboard.pages.board.log_pages import changes_of, log_files
from leaderboard.pages.board.standings import Row, Standings, standings
from leaderboard.pages.board.suite_table import Strip, columns, filters, task_mean
from leaderboard.pages.board.templates import Templates
from leaderboard.pages.report import published_rows
from leaderboard.statistics import references
from leaderboard.statistics.ranking import LEAST, SETTLED

WAITING = 30 * 86_400
"""Seconds after which an entry without a re-evaluation is named on the first page."""
MOST_CHANGES = 200
"""Changes on their page and in the feed; the log has all."""
ASSETS = ("site.css", "site.js", "sortable.min.js", "sortable.LICENSE.txt", "icon.svg")
"""`sortable.min.js` is that of npm's sortable-tablesort 4.1.7, to the byte."""


class Site:
    """Draws the pages of one board. `url`: where the site will be, for feeds and citations."""

    def __init__(self, facts: Facts, url: str) -> None:
        self.facts = facts
        self.url = url
        self.tables = [standings(facts, name) for name in sorted(facts.log.board.suites)]
        self.rows: dict[int, list[Row]] = {}
        for table in self.tables:
            for row in table.rows:
                self.rows.setdefault(row.entry.index, []).append(row)
        self._templates = Templates(facts, url)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path and bytes of every file."""
        yield from self._first_pages()
        for table in self.tables:
            yield f"suite/{table.ident}.html", self._suite(table)
            yield f"suite/{table.ident}.csv", data.suite_csv(table)
        ranked = {each.index: len(table.ranked) for table in self.tables for each in table.entries}
        for entry in self.facts.entries:
            rows = self.rows.get(entry.index, [])
            yield from entry_files(self.facts, self._templates, entry, rows, ranked[entry.index])
        for submitter in self.facts.submitters:
            yield f"submitter/{submitter.ident}.html", self._submitter(submitter)
        yield from log_files(self.facts, self._templates)
        yield "board.json", data.dump(data.board_document(self.facts, self.tables))
        yield (
            "changes.atom",
            self._templates.render("changes.atom", 0, changes=changes_of(self.facts, MOST_CHANGES)),
        )
        yield from _shipped()

    # -- pages about the whole board --

    def _first_pages(self) -> Iterator[tuple[str, bytes]]:
        log = self.facts.log
        yield (
            "index.html",
            self._templates.render(
                "index.html",
                0,
                here="index",
                tables=[self._card(table) for table in self.tables],
                newest=log.newest,
                witnessed=log.witnessed(),
                waiting=self._waiting(),
                changes=changes_of(self.facts, 6),
            ),
        )
        yield (
            "registrations.html",
            self._templates.render("registrations.html", 0, here="registrations"),
        )
        changes = changes_of(self.facts, log.size)
        older = max(0, len(changes) - MOST_CHANGES)
        contents = {"changes": changes[:MOST_CHANGES], "older": older}
        yield "changes.html", self._templates.render("changes.html", 0, here="changes", **contents)
        levels = {"least": LEAST, "settled": SETTLED}
        yield "levels.html", self._templates.render("levels.html", 0, here="levels", **levels)
        deadline = log.board.root.deadline
        yield (
            "submit.html",
            self._templates.render("submit.html", 0, here="submit", deadline=deadline),
        )

        # A page that stands for any address knows only the site's own.
        path = urlsplit(self.url).path
        yield "404.html", self._templates.render("404.html", 0, root=path)

    def _card(self, table: Standings) -> dict[str, object]:
        """A suite on the first page."""
        return {
            "ident": table.ident,
            "leaf": table.leaf,
            "ranked_count": len(table.ranked),
            "row_count": len(table.rows),
            "entry_count": len(table.entries),
            "registered": len(self._announced(table)),
        }

    def _announced(self, table: Standings) -> list[Announced]:
        name = (table.leaf.suite, table.leaf.version)
        return [
            each
            for each in self.facts.registrations
            if (each.registration.leaf.suite, each.registration.leaf.version) == name
        ]

    def _waiting(self) -> list[BoardEntry]:
        """Entries that nobody has re-evaluated for long, the oldest first."""
        return [
            entry
            for entry in self.facts.entries
            if entry.level == "L0"
            and entry.logged.retracted is None
            and self.facts.now - entry.logged.leaf.at > WAITING
        ]

    # -- a suite --

    def _suite(self, table: Standings) -> bytes:
        results = table.results
        published = []
        if results is not None and results.environment_steps == references.ENVIRONMENT_STEPS:
            published = published_rows(list(results.tasks))
        announced = self._announced(table)
        return self._templates.render(
            "suite.html",
            1,
            table=table,
            results=results,
            columns=columns(results.tasks if results else ()),
            filters=filters(table.rows),
            strip=Strip(table.rows),
            task_mean=task_mean,
            published=published,
            data=f"suite/{table.ident}.csv",
            announced=announced,
            states=Counter(each.state for each in announced),
        )

    # -- a submitter --

    def _submitter(self, submitter: Submitter) -> bytes:
        rows = [
            (table, row)
            for table in self.tables
            for row in table.rows
            if row.entry.announced.submitter is submitter
        ]
        states = Counter[str](announced.state for announced in submitter.registrations)
        revoked = submitter.member.revoked
        keys = [
            {"id": key_id(key), "revoked": revoked.get(key_id(key))}
            for key in reversed(submitter.member.keys)
        ]
        names = ("open", "submitted", "abandoned", "retracted")
        figures = [("registered", len(submitter.registrations))]
        figures += [(name, states[name]) for name in names]
        contents = {"submitter": submitter, "rows": rows, "figures": figures, "keys": keys}
        return self._templates.render("submitter.html", 1, **contents)


def _shipped() -> Iterator[tuple[str, bytes]]:
    """Files that are the same on every site."""
    folder = resources.files("leaderboard.pages.board")
    for name in ASSETS:
        yield f"assets/{name}", folder.joinpath("assets", name).read_bytes()
    for schema in sorted(folder.joinpath("schemas").iterdir(), key=lambda path: path.name):
        yield f"schemas/{schema.name}", schema.read_bytes()
    yield ".nojekyll", b""
