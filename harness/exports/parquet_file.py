"""The table as Parquet, with a type for each column."""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.files import write_atomic
from leaderboard.data.tidy import Row

ROWS_AT_A_TIME = 50_000
SCHEMA = pa.schema(
    [
        ("plan", pa.string()),
        ("suite", pa.string()),
        ("verified", pa.bool_()),
        ("task", pa.string()),
        ("regime", pa.string()),
        ("seed", pa.int64()),
        ("agent_step", pa.int64()),
        ("environment_step", pa.int64()),
        ("what", pa.string()),
        ("episode", pa.int64()),
        ("value", pa.float64()),
    ]
)


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write the table to a file."""
    file = io.BytesIO()
    with pq.ParquetWriter(file, SCHEMA) as writer:
        remaining = iter(rows)
        while some := list(islice(remaining, ROWS_AT_A_TIME)):
            writer.write_table(pa.Table.from_pylist([vars(row) for row in some], SCHEMA))
    write_atomic(path, file.getvalue())
