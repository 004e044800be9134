"""Makes the site: path -> bytes of every file, from the facts of a board and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from urllib.parse import urlsplit

from jinja2 import Environment
from markupsafe import Markup

from leaderboard.formats.keys import key_id
from leaderboard.formats.log import bundle, tiles
from leaderboard.formats.log.leaf import RegisterLeaf
from leaderboard.formats.person import LINK
from leaderboard.pages.board import data, words
from leaderboard.pages.board.citation import badge_of, bibtex
from leaderboard.pages.board.facts import Announced, BoardEntry, Facts, Submitter
from leaderboard.pages.board.meanings import MEANINGS
from leaderboard.pages.board.standings import Row, Standings, entry_reasons, standings
from leaderboard.pages.board.suite_table import Strip, columns, filters, task_mean
from leaderboard.pages.report import environment, published_rows
from leaderboard.statistics import references
from leaderboard.statistics.ranking import LEAST, SETTLED

WAITING = 30 * 86_400
"""Seconds after which an entry without a re-evaluation is named on the first page."""
MOST_CHANGES = 200
"""Changes on their page and in the feed; the log has all."""
TILED = 32
"""Newest checkpoints whose partial tiles the site has."""
SAID = ("moment", "day", "iso", "span", "large", "size", "points", "half", "short", "told")
"""Functions of words.py that templates use."""
ASSETS = ("site.css", "site.js", "sortable.min.js", "sortable.LICENSE.txt", "icon.svg")


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
        self._templates = _templates()
        self._about = {
            index: entry
            for entry in facts.entries
            for index in entry.leaves
            if index != entry.announced.index
        }

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path and bytes of every file."""
        yield from self._first_pages()
        for table in self.tables:
            yield f"suite/{table.ident}.html", self._suite(table)
            yield f"suite/{table.ident}.csv", data.suite_csv(table)
        for entry in self.facts.entries:
            yield from self._entry(entry)
        for submitter in self.facts.submitters:
            yield f"submitter/{submitter.ident}.html", self._submitter(submitter)
        yield from self._log()
        yield "board.json", data.dump(data.board_document(self.facts, self.tables))
        yield "changes.atom", self._render("changes.atom", 0, changes=self._changes(MOST_CHANGES))
        yield from _shipped()

    def _render(self, name: str, depth: int, /, **contents: object) -> bytes:
        """A template, filled; `depth`: folders between the page and the site's root."""
        template = self._templates.get_template(f"board/{name}")
        page = {"facts": self.facts, "url": self.url, "here": "", "root": "../" * depth}
        return template.render({**page, **contents}).encode()

    # -- pages about the whole board --

    def _first_pages(self) -> Iterator[tuple[str, bytes]]:
        log = self.facts.log
        yield (
            "index.html",
            self._render(
                "index.html",
                0,
                here="index",
                tables=[self._card(table) for table in self.tables],
                newest=log.newest,
                witnessed=log.witnessed(),
                waiting=self._waiting(),
                changes=self._changes(6),
            ),
        )
        yield "registrations.html", self._render("registrations.html", 0, here="registrations")
        changes = self._changes(log.size)
        older = max(0, len(changes) - MOST_CHANGES)
        contents = {"changes": changes[:MOST_CHANGES], "older": older}
        yield "changes.html", self._render("changes.html", 0, here="changes", **contents)
        levels = {"least": LEAST, "settled": SETTLED}
        yield "levels.html", self._render("levels.html", 0, here="levels", **levels)
        deadline = log.board.root.deadline
        yield "submit.html", self._render("submit.html", 0, here="submit", deadline=deadline)

        # A page that stands for any address knows only the site's own.
        path = urlsplit(self.url).path
        yield "404.html", self._render("404.html", 0, root=path)

    def _card(self, table: Standings) -> dict[str, object]:
        """A suite on the first page."""
        entries = {row.entry.index for row in table.rows}
        return {
            "ident": table.ident,
            "leaf": table.leaf,
            "ranked_count": len(table.ranked),
            "row_count": len(table.rows),
            "entry_count": len(entries) + len(table.without),
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

    def _changes(self, most: int) -> list[Change]:
        """What was decided about keys, suites and rows, the newest first."""
        changes = list[Change]()
        for index in range(self.facts.log.size - 1, -1, -1):
            leaf = self.facts.leaves[index]
            if len(changes) < most and not isinstance(leaf, RegisterLeaf):
                reason = self.facts.reasons.get(index)
                text = words.told(leaf)
                if leaf.kind == "entry":
                    text = f"Entry {index}: {text}"
                changes.append(Change(index, leaf.at, text, reason, self._href(index)))
        return changes

    def _href(self, index: int) -> str | None:
        """The page of the entry that a leaf is about."""
        entry = self._about.get(index)
        return f"entry/{entry.index}.html" if entry else None

    # -- a suite --

    def _suite(self, table: Standings) -> bytes:
        results = table.results
        published = []
        if results is not None and results.environment_steps == references.ENVIRONMENT_STEPS:
            published = published_rows(list(results.tasks))
        announced = self._announced(table)
        return self._render(
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

    # -- an entry --

    def _entry(self, entry: BoardEntry) -> Iterator[tuple[str, bytes]]:
        rows = self.rows.get(entry.index, [])
        badge = badge_of(entry, rows, self._ranked_count(entry))
        read = entry.read
        page = self._render(
            "entry.html",
            1,
            entry=entry,
            rows=rows,
            ranked_count=self._ranked_count(entry),
            reasons=entry_reasons(self.facts, entry),
            results=read.summary.results if read else None,
            sections=Markup(read.sections if read else ""),
            meanings=MEANINGS,
            meaning_of=words.LEVELS,
            tensors=_tensors(read.tensors if read else None),
            bibtex=bibtex(self.facts, entry, self.url),
            badge=badge["text"],
        )
        yield f"entry/{entry.index}.html", page
        document = data.entry_document(self.facts, entry, rows)
        yield f"entry/{entry.index}.json", data.dump(document)
        yield f"badge/{entry.index}.svg", self._render("badge.svg", 1, **badge)

    def _ranked_count(self, entry: BoardEntry) -> int:
        """How many rows of its suite are ranked."""
        leaf = entry.announced.registration.leaf
        ident = f"{leaf.suite}-v{leaf.version}"
        return next(len(table.ranked) for table in self.tables if table.ident == ident)

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
        return self._render("submitter.html", 1, **contents)

    # -- the log, for people and for programs --

    def _log(self) -> Iterator[tuple[str, bytes]]:
        log = self.facts.log
        pages = list(_bundles(log.size))
        contents = {
            "newest": log.newest,
            "witnessed": log.witnessed(),
            "trust": log.board.root,
            "witnesses": self._witnesses(),
            "width": bundle.WIDTH,
            "bundles": pages[::-1],
        }
        yield "log.html", self._render("log.html", 0, here="log", **contents)
        for page in pages:
            numbered = list(enumerate(self.facts.leaves))[page.first : page.last + 1]
            shown = {"leaves": numbered, "first": page.first, "last": page.last}
            yield f"log/{page.name}.html", self._render("leaves.html", 1, **shown)

        # Foreign programs read the checkpoint and the tiles of what it covers.
        if log.newest is not None:
            yield "checkpoint", log.newest.note.content()
            yield from tiles.entry_files(log.leaves[: log.newest.checkpoint.size])
            written: dict[str, bytes] = {}
            for size in list(log.signed)[-TILED:]:
                written.update(tiles.tile_files(log.tree, size))
            yield from sorted(written.items())

    def _witnesses(self) -> list[dict[str, object]]:
        """What each witness of the trust root saw last."""
        witnesses = list[dict[str, object]]()
        for key in self.facts.log.board.root.witnesses.keys:
            seen = [
                (size, time)
                for size, signed in self.facts.log.signed.items()
                for verifier, time in signed.cosigned.items()
                if verifier.public_key == key.public_key
            ]
            size, time = max(seen, default=(None, None))
            witnesses.append({"name": key.name, "key": key.key_id, "size": size, "at": time})
        return witnesses


# -- other parts --


def _tensors(stated: Mapping[str, object] | None) -> dict[str, object] | None:
    """What tensors.json says, as far as it is in form."""
    if stated is None:
        return None
    files = stated.get("tensors")
    listed = [file for file in files if isinstance(file, dict)] if isinstance(files, list) else []
    sizes = [file.get("size") for file in listed]
    mirrors = stated.get("mirrors")
    addresses = mirrors if isinstance(mirrors, list) else []
    return {
        "count": len(listed),
        "size": sum(size for size in sizes if type(size) is int and size >= 0),
        "mirrors": [
            {"url": url, "safe": bool(LINK.fullmatch(url))}
            for url in addresses
            if isinstance(url, str)
        ],
    }


def _shipped() -> Iterator[tuple[str, bytes]]:
    """Files that are the same on every site."""
    folder = resources.files("leaderboard.pages.board")
    for name in ASSETS:
        yield f"assets/{name}", folder.joinpath("assets", name).read_bytes()
    for schema in sorted(folder.joinpath("schemas").iterdir(), key=lambda path: path.name):
        yield f"schemas/{schema.name}", schema.read_bytes()
    yield ".nojekyll", b""


def _templates() -> Environment:
    """The templates with what they need to say things."""
    templates = environment()
    for name in SAID:
        templates.filters[name] = getattr(words, name)
    return templates
