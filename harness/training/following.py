"""Reads the records of runs while they are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leaderboard.formats.document import DocumentError
from leaderboard.formats.records import Record, parse_record
from leaderboard.formats.run import Run


@dataclass
class Following:
    """A run on its way, and how far its records were read."""

    run: Run
    path: Path
    offset: int = 0
    """Bytes that were read."""

    def new_records(self) -> Iterator[Record]:
        """The whole lines that were added since."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            if self.path.stat().st_size < self.offset:
                self.offset = 0
            file.seek(self.offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self.offset += len(whole)
        try:
            for line in whole.splitlines():
                yield parse_record(line, str(self.path))
        except DocumentError:
            self.offset = 0  # it was cut and grew again between two looks: read from its start
