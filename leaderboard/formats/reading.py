"""Reads files that strangers wrote: regular files alone, and no more of one than was allowed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from leaderboard.formats.document import DocumentError


def read_limited(path: Path, limit: int, called: str) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; `called`: what sentences call it.

    Raises DocumentError for any other file, and OSError if it cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe would wait until somebody writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DocumentError(f"{called}: is not a regular file")

        # The size comes first: a sparse file of terabytes takes no room on a disk.
        if status.st_size > limit:
            raise DocumentError(f"{called}: has {status.st_size} bytes, at most {limit} are read")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise DocumentError(f"{called}: grew while it was read, at most {limit} bytes are read")
    return content
