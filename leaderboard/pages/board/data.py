"""The site's data: board.json, a table of each suite as CSV, and a document for each entry.

Schemas lie beside (schemas/*.json), and a copy of them on the site. Names of people are in none of
these files, only ids of keys: data is copied, and a name that was taken back would stay in copies.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence

from leaderboard.formats.document import printable
from leaderboard.pages.board.facts import Announced, BoardEntry, Facts
from leaderboard.pages.board.standings import Row, Standings
from leaderboard.pages.board.words import iso

BOARD_SCHEMA = "urn:mst-bench:site-board:v2"
ENTRY_SCHEMA = "urn:mst-bench:site-entry:v2"
FORMULA = ("=", "+", "-", "@", "\t")
"""Beginnings of a cell that spreadsheets would carry out."""


def dump(document: object) -> bytes:
    """JSON in ASCII: control and direction characters are spelled out."""
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def board_document(facts: Facts, tables: Sequence[Standings]) -> dict[str, object]:
    """board.json"""
    newest = facts.log.newest
    witnessed = facts.log.witnessed()
    return {
        "schema": BOARD_SCHEMA,
        "origin": facts.origin,
        "leaves": facts.log.size,
        "now": iso(facts.now),
        "signed": newest.checkpoint.size if newest else 0,
        "witnessed": None
        if witnessed is None
        else {"leaves": witnessed[0].checkpoint.size, "at": iso(witnessed[1])},
        "suites": [_suite(table) for table in tables],
        "registrations": [_registration(each) for each in facts.registrations],
    }


def _suite(table: Standings) -> dict[str, object]:
    return {
        "suite": table.leaf.suite,
        "version": table.leaf.version,
        "state": table.leaf.state,
        "rows": [row_document(row) for row in table.rows],
        "without": [entry.index for entry, _ in table.without],
    }


def _registration(announced: Announced) -> dict[str, object]:
    leaf = announced.registration.leaf
    return {
        "leaf": announced.index,
        "at": iso(leaf.at),
        "key": leaf.key,
        "suite": leaf.suite,
        "version": leaf.version,
        "plan": announced.registration.draft,
        "state": announced.state,
        "deadline": iso(announced.deadline),
        "entry": announced.registration.entry,
        "registrations": len(announced.siblings),
    }


def row_document(row: Row) -> dict[str, object]:
    """A row of a table."""
    low, high = row.iqm_interval or (None, None)
    return {
        "entry": row.entry.index,
        "regime": row.regime.name,
        "agent": row.results.agent,
        "key": row.entry.logged.leaf.key,
        "rank": None if row.rank is None else {"best": row.rank.best, "worst": row.rank.worst},
        "unranked_because": list(row.unranked),
        "level": row.entry.level,
        "mean": row.mean.mean,
        "half_width": None if math.isnan(row.mean.half_width) else row.mean.half_width,
        "iqm": row.iqm,
        "iqm_low": low,
        "iqm_high": high,
        "scores": {task: list(scores) for task, scores in row.regime.scores.items()},
        "planned": row.regime.planned,
        "finished": row.regime.finished,
        "failed": row.regime.failed,
        "missing": row.regime.missing,
        "collapsed": row.regime.collapsed,
        "density": row.regime.density,
        "parameters": row.regime.parameters,
        "flops": row.regime.flops,
        "hardware": row.results.hardware,
        "hours": row.results.hours,
        "registrations": row.entry.registrations,
        "accepted": iso(row.entry.logged.leaf.at),
        "licence": row.entry.licence,
    }


def entry_document(facts: Facts, entry: BoardEntry, rows: Sequence[Row]) -> dict[str, object]:
    """<entry>.json"""
    retracted = entry.logged.retracted
    summary = entry.read.summary if entry.read else None
    return {
        "schema": ENTRY_SCHEMA,
        "entry": entry.index,
        "payload": entry.logged.leaf.entry,
        "folder": entry.read.folder if entry.read else None,
        "level": entry.level,
        "disputed": entry.logged.disputed,
        "retracted": None if retracted is None else retracted[0],
        "reason": None if retracted is None else facts.reasons.get(retracted[0]),
        "registration": _registration(entry.announced),
        "leaves": entry.leaves,
        "checks": [
            {"name": check.name, "status": check.status, "detail": check.detail}
            for check in (summary.checks if summary else ())
        ],
        "rows": [row_document(row) for row in rows],
    }


def suite_csv(table: Standings) -> bytes:
    """<suite>.csv: a line for each row, in the order of the table."""
    tasks = table.results.tasks if table.results else ()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    plain = [
        *("rank_best", "rank_worst", "entry", "regime", "agent", "key", "level", "mean"),
        *("half_width", "iqm", "iqm_low", "iqm_high"),
    ]
    counts = ["planned", "finished", "failed", "missing", "collapsed", "density", "parameters"]
    rest = ["flops", "hardware", "hours", "registrations", "accepted", "licence"]
    writer.writerow([*plain, *tasks, *counts, *rest, "unranked_because"])
    for row in table.rows:
        document = row_document(row)
        best, worst = (row.rank.best, row.rank.worst) if row.rank else ("", "")
        cells = [best, worst, *(document[name] for name in plain[2:])]
        cells += [_mean(row.regime.scores.get(task, ())) for task in tasks]
        cells += [document[name] for name in (*counts, *rest)]
        writer.writerow([_cell(cell) for cell in (*cells, "; ".join(row.unranked))])
    return text.getvalue().encode()


def _mean(scores: Sequence[float]) -> float | None:
    return math.fsum(scores) / len(scores) if scores else None


def _cell(value: object) -> object:
    """A cell that no spreadsheet carries out."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA) else text
