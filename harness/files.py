"""Files as promises: atomic JSON documents, and digests of bytes on disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from harness.errors import NO_ROOM, UserError
from leaderboard.formats import strict_json


def dump_json(document: Any) -> bytes:
    """The one way this project writes JSON: sorted keys, no spaces, no NaN, a final line feed."""
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    )
    return text.encode() + b"\n"


def no_link(path: str, flags: int) -> int:
    """Opener for `open`. UserError for a path that is a link: what it names may lie anywhere."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UserError(
                f"{path}: is a link, and no link is written through; remove it."
            ) from None
        raise


def write_atomic(
    path: Path, data: bytes | Iterable[bytes | memoryview], workplace: Path | None = None
) -> None:
    """Write under a temporary name, then rename. The name is in the same folder, which is made if
    need be, or else in `workplace`.

    A reader sees the old file or the new one. Nobody can know the temporary name before, nor have
    put anything there. UserError for a path that cannot be written, but the OSError itself for a
    full disk, which says more (`harness.errors`).
    """
    parts = [data] if isinstance(data, bytes) else data
    temporary = _temporary(path, workplace)
    try:
        if workplace is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "xb", opener=no_link) as file:
            try:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise _unwritable(path, error) from None


def _temporary(path: Path, workplace: Path | None) -> Path:
    """A name that nobody can know before."""
    return (workplace or path.parent) / f".{path.name}.{secrets.token_hex(8)}"


def check_can_write(path: Path, advice: str = "") -> None:
    """UserError if no file can be written at `path`; called before the work that it is for."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error, advice) from None


def _unwritable(path: Path, error: OSError, advice: str = "") -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror}).", advice)


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
            f"{path}: was cut or edited, it is not JSON any more ({error}). Remove it; it can be"
            " made again."
        ) from None


class Files:
    """Changes of files, each whole or not at all; what is there already is never written over.

    Every change is a rename out of a workplace, or into it. That is the file's own folder here;
    `training.held.Held` has workplaces that can be taken away from it.
    """

    def workplace(self, folder: Path) -> Path | None:
        """Where files of a folder are made, on the same file system; None: in the folder."""
        return None

    def write(self, path: Path, data: bytes | Iterable[bytes | memoryview]) -> None:
        """`write_atomic`."""
        write_atomic(path, data, self.workplace(path.parent))

    def write_json(self, path: Path, document: Any) -> None:
        """`dump_json` to a file."""
        self.write(path, dump_json(document))

    def create(self, path: Path, content: bytes = b"") -> IO[bytes]:
        """A new file in the place of an old one, open for appending to its content."""
        workplace = self.workplace(path.parent)
        if workplace is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(path, workplace)
        file = open(temporary, "x+b", opener=no_link)  # noqa: SIM115 - open as long as needed
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            file.close()
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        return file

    def remove(self, path: Path) -> None:
        """Removes a file, if it is there."""
        removed = _temporary(path, self.workplace(path.parent))
        try:
            path.rename(removed)
        except FileNotFoundError:
            if _opens(path):  # it is the workplace that is gone
                raise
        else:
            removed.unlink()


def _opens(path: Path) -> bool:
    """Whether a file is there, by the server's own word: what a network file system remembers of
    its name may be older."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ESTALE)
    return True


def digest_bytes(data: bytes) -> str:
    """sha256."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """sha256 of the bytes on disk."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
