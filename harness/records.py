"""Files as promises: atomic JSON documents, appended JSON lines with a hash chain, digests of bytes on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.errors import UserError
from leaderboard import strict_json

CHAIN_START = "0" * 64


def dump_json(document: Any) -> bytes:
    """The one way this project writes JSON: sorted keys, no spaces, no NaN, a line feed at the end."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode() + b"\n"


def write_atomic(path: Path, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Write under a temporary name in the same folder, then rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            for part in [data] if isinstance(data, bytes) else data:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, document: Any) -> None:
    """`dump_json` to a file, atomically."""
    write_atomic(path, dump_json(document))


def read_json(path: Path) -> Any:
    """A JSON document that this harness wrote; UserError if it is not one any more."""
    try:
        return strict_json.parse(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise UserError(
            f"{path}: was cut or edited, it is not JSON any more ({error}). Remove it; it can be made again."
        ) from None


def digest_bytes(data: bytes) -> str:
    """sha256."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """sha256 of the bytes on disk."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Records:
    """JSON lines appended as they occur; each carries the digest of all before it, so none can be changed alone."""

    def __init__(self, path: Path) -> None:
        """Starts an empty file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "w+b")  # noqa: SIM115 - open as long as the run lasts
        self.head, self.length = CHAIN_START, 0

    @classmethod
    def resume(cls, path: Path, length: int, head: str) -> Records:
        """Goes on after the first `length` bytes, whose chain ends in `head`; what was written after them never happened.

        UserError if those bytes are not what they were.
        """
        records = cls.__new__(cls)
        try:
            records._file = open(path, "r+b")  # noqa: SIM115
        except FileNotFoundError:
            raise UserError(f"{path}: is gone, and the checkpoint goes on after {length} bytes of it.") from None
        records.head, records.length = CHAIN_START, length
        kept = records._file.read(length)
        if len(kept) != length:
            raise UserError(f"{path}: has {len(kept)} bytes, and the checkpoint goes on after {length}.")
        for line in kept.splitlines(keepends=True):
            if f'"before":"{records.head}"'.encode() not in line:
                raise UserError(f"{path}: was changed since it was written: its chain of records is broken.")
            records.head = hashlib.sha256(line).hexdigest()
        if records.head != head:
            raise UserError(f"{path}: was changed since it was written: its last record is another.")
        records._file.truncate(length)
        return records

    def append(self, record: dict[str, Any]) -> None:
        """Write one record with its place in the chain, and push it to the operating system."""
        line = dump_json({**record, "before": self.head})
        self.head = hashlib.sha256(line).hexdigest()
        self.length += len(line)
        self._file.write(line)
        self._file.flush()

    def read(self, kind: str) -> list[dict[str, Any]]:
        """All records of a kind, in their order."""
        self._file.seek(0)
        found = [json.loads(line) for line in self._file]
        return [record for record in found if record["kind"] == kind]

    def sync(self) -> None:
        """Push everything to disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Push everything to disk and let the file go."""
        self.sync()
        self._file.close()
