"""What this user saw of each log, kept in their configuration: a log may grow, and change in no
other way."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import UserError
from harness.files import write_atomic, write_json
from leaderboard.board.known import known_view, view_for, view_name
from leaderboard.board.log import BoardLog
from leaderboard.board.views import LARGEST, ForkError, View, check_view, view_of
from leaderboard.formats.document import DocumentError
from leaderboard.formats.reading import read_limited


def configuration() -> Path:
    """The user's folder for this program's configuration."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "mst-bench"


def view_path(origin: str) -> Path:
    """The file of what was seen of a log."""
    return configuration() / "logs" / view_name(origin)


@contextmanager
def locked(origin: str) -> Iterator[None]:
    """While it is held, no other process of this user signs for the log or remembers it."""
    path = view_path(origin).with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}).") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def recall(origin: str) -> View | None:
    """What this user saw last; None if nothing. UserError for a damaged file."""
    path = view_path(origin)
    try:
        return view_for(origin, read_limited(path, LARGEST, str(path)), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        raise UserError(
            f"{error}. It holds what you saw of the log {origin}.",
            "Remove it only if you know why it is damaged: then the log is trusted as it is.",
        ) from None


def remember(view: View) -> None:
    """Keep what was seen, unless more was."""
    seen = recall(view.checkpoint.origin)
    if seen is None or seen.checkpoint.size <= view.checkpoint.size:
        write_json(view_path(view.checkpoint.origin), view.content())


def known(origin: str) -> View | None:
    """The most that this user, or this release, knows of a log; None if nothing."""
    views = [view for view in (recall(origin), known_view(origin)) if view is not None]
    return max(views, key=lambda view: view.checkpoint.size, default=None)


def remember_newest(log: BoardLog) -> None:
    """Keep what a log shows now, as far as it is signed. It was compared with what was seen."""
    if log.newest is None:
        return
    with locked(log.board.root.origin):
        check_remembered(log)
        remember(view_of(log, log.newest.checkpoint.size, log.newest.note.content()))


def check_remembered(log: BoardLog) -> None:
    """ForkError unless the log continues what this user saw of it, and what this release knows."""
    origin = log.board.root.origin
    views = {"this machine saw before": recall(origin), "this release knows": known_view(origin)}
    for seen_by, view in views.items():
        if view is not None:
            check_view(view, log, seen_by)


def keep_evidence(folder: Path, fork: ForkError) -> Path:
    """Write both notes of a fork; the folder that they lie in."""
    evidence = folder / "evidence"
    for content in fork.notes:
        name = hashlib.sha256(content).hexdigest()[:16]
        write_atomic(evidence / f"{name}.note", content)
    return evidence
