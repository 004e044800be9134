"""A run's records: JSON lines with a hash chain, appended as they occur."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import Files, dump_json, no_link
from leaderboard.formats.records import CHAIN_START

Record = dict[str, Any]
"""One line of records.jsonl. What each kind holds is typed where it is verified
(leaderboard/formats/records.py)."""


class Records:
    """JSON lines, each with the digest of the line before it, so that none can be changed alone."""

    def __init__(self, path: Path, files: Files) -> None:
        """Starts an empty file, open as long as the run lasts."""
        self._file = files.create(path)
        self.head = CHAIN_START
        self.length = 0

    @classmethod
    def resume(cls, path: Path, length: int, head: str, files: Files) -> Records:
        """Resumes after the first `length` bytes, whose chain ends in `head`.

        What was written after them never happened. They are copied: whoever had the old file open
        writes to that one. UserError if those bytes are not what they were.
        """
        try:
            with open(path, "rb", opener=no_link) as file:
                kept = file.read(length)
        except FileNotFoundError:
            raise UserError(
                f"{path}: is gone, and the checkpoint resumes after {length} bytes of it."
            ) from None
        if len(kept) != length:
            raise UserError(
                f"{path}: has {len(kept)} bytes, and the checkpoint resumes after {length}."
            )
        if _head_of(kept, path) != head:
            raise UserError(
                f"{path}: was changed since it was written: its last record is another."
            )

        records = cls.__new__(cls)
        records._file = files.create(path, kept)
        records.head = head
        records.length = length
        return records

    def append(self, record: Record) -> None:
        """Write one record with its place in the chain, and push it to the operating system."""
        line = dump_json({**record, "before": self.head})
        self.head = hashlib.sha256(line).hexdigest()
        self.length += len(line)
        self._file.write(line)
        self._file.flush()

    def read(self, kind: str) -> list[Record]:
        """All records of a kind, in their order."""
        self._file.seek(0)
        records = [json.loads(line) for line in self._file]
        return [record for record in records if record["kind"] == kind]

    def sync(self) -> None:
        """Push everything to disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Push everything to disk and let the file go."""
        self.sync()
        self._file.close()


def _head_of(lines: bytes, path: Path) -> str:
    """The end of the chain of these lines. UserError if a line does not name the one before it."""
    head = CHAIN_START
    for line in lines.splitlines(keepends=True):
        if f'"before":"{head}"'.encode() not in line:
            raise UserError(
                f"{path}: was changed since it was written: its chain of records is broken."
            )
        head = hashlib.sha256(line).hexdigest()
    return head
