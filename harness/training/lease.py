"""One process at a time carries a cohort out: it holds a lock on cohorts/<i>/lease.

Known limit: `flock` holds on one machine, and on network file systems only where they support it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import Incomplete
from harness.folder import Folder
from harness.planning.cohorts import Cohort


def running(folder: Path, cohort: Cohort) -> bool:
    """Whether a process is carrying the cohort out now."""
    try:
        with open(Folder(folder).cohort(cohort.index).lease) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def lease(path: Path) -> Iterator[None]:
    """Holds a cohort. The system lets the lock go with the process, however that ends.

    Raises Incomplete if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Incomplete(
                f"{path}: another process is carrying out this cohort; wait for it or stop it."
            ) from None
        yield
