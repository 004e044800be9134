"""One process at a time carries a cohort out: it holds an exclusive lock on cohorts/<i>/lease.

The lease is private to its owner, because whoever may read a file may hold a shared lock on it,
which would stop the run for as long as it pleases him. Whoever looks (`running`) holds a shared
lock for a moment; a run waits for that, and says so if it lasts.

Known limit: `flock` holds on one machine, and on network file systems only where they support it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import Incomplete, UserError
from harness.folder import Folder
from harness.planning.cohorts import Cohort

PRIVATE = 0o600
LOOK = 2.0
"""Seconds that a run waits for processes that only look."""
POLL = 0.02
FRESH = 60.0
"""Seconds since the last progress, within which a cohort of somebody else counts as running."""


def running(folder: Path, cohort: Cohort) -> bool:
    """Whether a process is carrying the cohort out now."""
    cohort_folder = Folder(folder).cohort(cohort.index)
    try:
        lease = os.open(cohort_folder.lease, _flags(os.O_RDONLY))
    except PermissionError:  # somebody else's
        return _fresh(cohort_folder.progress)
    except OSError:
        return False
    try:
        return not _locked(lease, fcntl.LOCK_SH)
    finally:
        os.close(lease)


def _fresh(progress: Path) -> bool:
    """Whether a file was written a moment ago."""
    try:
        return time.time() - progress.stat().st_mtime < FRESH
    except OSError:
        return False


@contextmanager
def lease(path: Path) -> Iterator[None]:
    """Holds a cohort. The system lets the lock go with the process, however that ends.

    Raises Incomplete if another process holds it, UserError for a lease that is no file of ours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    held = _open(path)
    try:
        _hold(held, path)
        yield
    finally:
        os.close(held)


def _open(path: Path) -> int:
    """The lease, made if there is none. Nothing is written to it, and no link is followed."""
    try:
        held = os.open(path, _flags(os.O_RDWR | os.O_CREAT), PRIVATE)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EACCES, errno.EPERM, errno.EISDIR):
            raise
        raise UserError(f"{path}: is no lease of yours ({error.strerror}); remove it.") from None

    # A folder that was copied may have made it readable to others.
    state = os.fstat(held)
    if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
        os.close(held)
        raise UserError(f"{path}: is no plain file of its own; remove it.")
    if state.st_uid == os.geteuid() and stat.S_IMODE(state.st_mode) != PRIVATE:
        os.fchmod(held, PRIVATE)
    return held


def _flags(access: int) -> int:
    """How a lease is opened: never through a link, and without waiting for a pipe's other end."""
    return access | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def _hold(held: int, path: Path) -> None:
    """Locks a lease; Incomplete if another process has it."""
    deadline = time.monotonic() + LOOK
    while not _locked(held, fcntl.LOCK_EX):
        # A shared lock tells a run from those that look: beside a run there is none.
        if not _locked(held, fcntl.LOCK_SH):
            raise Incomplete(
                f"{path}: another process is carrying out this cohort; wait for it or stop it."
            )
        fcntl.flock(held, fcntl.LOCK_UN)
        if time.monotonic() > deadline:
            raise Incomplete(
                f"{path}: another process holds a shared lock on it and carries nothing out;"
                f" `fuser {path}` names it. Stop it."
            )
        time.sleep(POLL)


def _locked(file: int, operation: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
