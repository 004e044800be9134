"""What of a plan folder a container sees, and what it may write to.

A cohort's container sees the plan for reading, and for writing its own cohort's folder and those of
its runs. It cannot read or write what other cohorts left. The container that seals sees all of it
for reading, and writes to a folder made for it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from docker.types import Mount

from harness.errors import UserError
from harness.folder import Folder
from harness.planning.cohorts import Cohort

MOUNTED = Folder(Path("/out"))
"""The plan's folder, as containers see it."""
NOBODY = (10001, 10001)
"""User and group of the containers of root, who must not be root inside."""
BASE_BYTES = 65536
"""Size of the empty folder under a cohort's mounts, which only root could write to."""


def user() -> tuple[int, int]:
    """User and group of a container's process: those of whoever starts it, but never root."""
    return (os.getuid(), os.getgid()) if os.getuid() != 0 else NOBODY


def cohort_mounts(folder: Path, cohort: Cohort) -> list[Mount]:
    """The mounts of a cohort's container; makes the folders that it writes to.

    UserError if one of them is a link: what it names may lie anywhere.
    """
    paths = Folder(folder)
    own = [paths.cohort(cohort.index).path, *(paths.run(run).path for run in cohort.runs)]
    for path in own:
        path.mkdir(parents=True, exist_ok=True)
        _check_no_link(folder, path)
        _give(path)

    base = Mount(
        target=str(MOUNTED.path),
        source=None,
        type="tmpfs",
        read_only=True,
        tmpfs_size=BASE_BYTES,
        tmpfs_mode=0o755,
    )
    written = [_bind(folder, path, read_only=False) for path in own]
    return [base, *_plan_files(folder), *written]


@contextmanager
def sealing_mounts(folder: Path) -> Iterator[tuple[list[Mount], Path]]:
    """The mounts of the container that seals, and the folder on this side that it writes to."""
    paths = Folder(folder)
    read = [path for path in (paths.path / "runs", paths.path / "cohorts") if path.exists()]
    with tempfile.TemporaryDirectory(prefix=".seal-", dir=folder) as made:
        # Mount points are made here: the engine would make them as root.
        scratch = Path(made)
        for path in (paths.plan, paths.suite, paths.cohorts):
            (scratch / path.name).touch()
        for path in read:
            _check_no_link(folder, path)
            (scratch / path.name).mkdir()
        _give(scratch)

        base = Mount(target=str(MOUNTED.path), source=str(scratch.resolve()), type="bind")
        results = [_bind(folder, path, read_only=True) for path in read]
        yield [base, *_plan_files(folder), *results], scratch


def _plan_files(folder: Path) -> Iterable[Mount]:
    """What every container reads: the plan, its suite and its cohorts."""
    paths = Folder(folder)
    return [
        _bind(folder, path, read_only=True) for path in (paths.plan, paths.suite, paths.cohorts)
    ]


def _bind(folder: Path, path: Path, *, read_only: bool) -> Mount:
    """Something of a plan folder, in its place under /out."""
    _check_no_link(folder, path)
    target = MOUNTED.path / path.relative_to(folder)
    return Mount(target=str(target), source=str(path.resolve()), type="bind", read_only=read_only)


def _check_no_link(folder: Path, path: Path) -> None:
    """UserError if a path of a plan folder leads out of it, or is another one inside."""
    if path.resolve() != folder.resolve() / path.relative_to(folder):
        raise UserError(f"{path}: is or lies behind a link; a container gets no link, remove it.")


def _give(path: Path) -> None:
    """A folder and what is in it to the container's user, where that is not who runs this."""
    if os.getuid() != 0:
        return
    for parent, folders, files in os.walk(path):
        for name in (".", *folders, *files):
            os.chown(Path(parent, name), *NOBODY, follow_symlinks=False)
