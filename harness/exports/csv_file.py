"""The table as CSV: every number as the shortest text that reads back as the same bits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from harness.files import write_atomic
from leaderboard.data.tidy import COLUMNS, Row, cells

ROWS_AT_A_TIME = 10_000


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write the table to a file."""
    write_atomic(path, _parts(rows))


def _parts(rows: Iterable[Row]) -> Iterator[bytes]:
    """The bytes of the file: the header, then the rows, some at a time."""
    yield (",".join(COLUMNS) + "\n").encode()
    remaining = iter(rows)
    while some := list(islice(remaining, ROWS_AT_A_TIME)):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows(map(_cells, some))
        yield text.getvalue().encode()


def _cells(row: Row) -> list[str]:
    """`true` and `false` as other programs write them; an absent value is an empty cell."""
    return ["" if value is None else _text(value) for value in cells(row)]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)
