"""log.txt of a cohort in a container: its output, of which only so much is kept."""

from __future__ import annotations

from pathlib import Path

from harness.files import no_link

LARGEST = 8 * 2**20
"""Bytes of the file; when there are more, the older half goes."""
LEFT_OUT = b"[earlier output was left out]\n"


class Log:
    """A file that grows up to LARGEST bytes and keeps what came last: there are the reasons."""

    def __init__(self, path: Path) -> None:
        """Goes on behind what earlier attempts wrote."""
        self._file = open(path, "a+b", opener=no_link)  # noqa: SIM115 - open as long as the cohort

    def write(self, output: bytes) -> None:
        """Adds output, which people can read at once."""
        self._file.write(output[-LARGEST:])
        self._file.flush()
        size = self._file.seek(0, 2)
        if size > LARGEST:
            self._file.seek(size - LARGEST // 2)
            kept = self._file.read()
            self._file.truncate(0)
            self._file.write(LEFT_OUT + kept.partition(b"\n")[2])
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
