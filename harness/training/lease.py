"""One process at a time carries a cohort out: it holds the newest lease in cohorts/<i>/leases.

    cohorts/<i>/leases/<n>/owner.json   who took the n-th lease
    cohorts/<i>/leases/<n>/heartbeat    a number that its holder raises; gone once it is let go

A lease is taken by renaming a prepared folder to the next number, which one process alone can do,
on network file systems too. It may be taken if the newest one was let go, if its holder is known to
be dead, or if its heartbeat stood still for the holder's `seconds`. Whoever looks measures that
by his own clock, and in many looks: time in which he was stopped himself, or in which the file
system was gone, counts for next to nothing. docs/decisions/0017-leases.md says why it is so.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from harness.config import build
from harness.errors import Incomplete, UserError
from harness.files import dump_json
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.training.held import FIRST_BEAT, HEARTBEAT, OWNER, Held, discard
from harness.training.owner import Owner, dead, this_process
from harness.words import say
from leaderboard.formats import strict_json

SECONDS = 60.0
"""Silence after which a lease may be taken over, unless its holder said otherwise."""
LOOKS = 100
"""Looks at least, all with the same heartbeat, before somebody counts as silent."""
NOTICED = 10
"""Looks after which silence is said."""
TRIES = 50
"""Times that others may be faster, before a lease counts as one that nobody can take."""
TAKEN = (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
"""Errors of a renaming that say that somebody was faster, or even nothing: on a network file system
a renaming may have happened, and its answer been lost."""
LARGEST = 4096
"""Bytes of a file of a lease that are read."""

Standing = Literal["free", "held", "silent"]
"""`silent`: no heartbeat was seen yet, and not for long enough to call it free."""


@dataclass(frozen=True)
class Newest:
    """The newest lease of a cohort, as it is at this moment."""

    number: int
    owner: Owner | None
    """None for a file that is no owner's."""
    heartbeat: bytes | None
    """None once it was let go."""

    @property
    def seconds(self) -> float:
        return self.owner.seconds if self.owner else SECONDS

    def free(self) -> bool:
        """Whether it may be taken at once."""
        return self.heartbeat is None or (self.owner is not None and dead(self.owner))


def newest(leases: Path) -> Newest | None:
    """The newest lease; None before the first one. OSError if the folder cannot be read."""
    number = max(_numbers(leases), default=0)
    if number == 0:
        return None

    # Read in this order: what has a heartbeat now had its owner before.
    folder = leases / str(number)
    heartbeat = _read(folder / HEARTBEAT)
    owner = None
    with suppress(UserError, ValueError):
        owner = build(Owner, strict_json.parse(_read(folder / OWNER) or b""), OWNER)
    return Newest(number, owner, heartbeat)


def _numbers(leases: Path) -> list[int]:
    """Numbers of the leases in a folder, which need not be there. Links are none."""
    try:
        with os.scandir(leases) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [int(name) for name in names if re.fullmatch(r"[1-9]\d{0,8}", name)]


def _read(path: Path) -> bytes | None:
    """The beginning of a file; None if there is none. No link is followed, no pipe waited for."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(file, LARGEST)
        finally:
            os.close(file)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):  # ESTALE: another machine removed it
            return None
        if error.errno == errno.ELOOP:
            return b""
        raise


class Watch:
    """Looks at the lease of a cohort, again and again."""

    def __init__(self, leases: Path) -> None:
        """UserError if a link or a file is where the folder of leases belongs, or a file above."""
        try:
            leases.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            file = next(path for path in leases.parents if os.path.lexists(path))
            raise UserError(f"{file}: is no folder; remove it.") from None
        with suppress(FileExistsError):
            leases.mkdir()
        if not stat.S_ISDIR(leases.lstat().st_mode):
            raise UserError(f"{leases}: is no folder of leases; remove it.")
        self.leases = leases
        self.seen: Newest | None = None
        self.silence = 0.0
        """Seconds without a heartbeat, as far as somebody looked."""
        self._looked = 0.0
        self._noticed = False

    @property
    def pause(self) -> float:
        """Seconds until it is worth looking again."""
        return self.seen.seconds / LOOKS if self.seen else 0.0

    def look(self) -> Standing:
        """Whether it is free, held by somebody who is alive, or silent so far."""
        before, self.seen = self.seen, newest(self.leases)
        since, self._looked = time.monotonic() - self._looked, time.monotonic()
        if self.seen is None or self.seen.free():
            return "free"
        if before is None or before.number != self.seen.number:
            self.silence = 0.0
            return "silent"
        if before.heartbeat != self.seen.heartbeat:
            return "held"
        self.silence += min(since, self.pause)
        return "free" if self.silence >= self.seen.seconds else "silent"

    def holder(self) -> str:
        """Who it is, in words."""
        owner = self.seen.owner if self.seen else None
        return f"process {owner.pid} on {owner.host}" if owner else "somebody"

    def notice(self) -> str:
        """A sentence about a holder who is silent, once that is worth saying; else empty."""
        if self._noticed or self.silence < self.pause * NOTICED:
            return ""
        self._noticed = True
        return f"{self.leases}: {self.holder()} is silent; it is taken over if that lasts."

    def claim(self, seconds: float) -> Held | None:
        """Take the lease that was seen as free; None if another process was faster."""
        number = self.seen.number + 1 if self.seen else 1
        owner = this_process(seconds)
        prepared = self.leases / f".{owner.token}"
        target = self.leases / str(number)
        try:
            prepared.mkdir()
            (prepared / OWNER).write_bytes(dump_json(asdict(owner)))
            (prepared / HEARTBEAT).write_bytes(FIRST_BEAT)
            prepared.rename(target)
        except OSError as error:
            # Some file systems have one error for everything, as SSHFS has EPERM.
            discard(prepared)
            if error.errno not in TAKEN and not os.path.lexists(target):
                raise

        # Whatever the renaming said: it counts if it is there, and nothing newer is.
        current = newest(self.leases)
        if current is None or (current.number, current.owner) != (number, owner):
            return None
        self._fence(number)
        return Held(self.leases, number, owner)

    def _fence(self, number: int) -> None:
        """Remove earlier leases: who held one can write nothing any more."""
        for path in list(self.leases.iterdir()):
            prepared = path.name.startswith(".") and not path.name.startswith(".nfs")
            if prepared or (path.name.isdigit() and int(path.name) < number):
                discard(path)


def take(leases: Path, seconds: float = SECONDS, wait: bool = True) -> Held:
    """Hold a cohort. `wait`: to find out about a holder who is silent.

    Raises Incomplete if another process holds it, UserError for what is no folder of leases.
    """
    watch = Watch(leases)
    for _ in range(TRIES):
        while (standing := watch.look()) == "silent" and wait:
            time.sleep(watch.pause)
            if sentence := watch.notice():
                say(sentence)
        if standing != "free":
            raise carried_out_by(watch)
        if held := watch.claim(seconds):
            return held
    raise UserError(f"{leases}: no lease can be taken here; remove it.")


def carried_out_by(watch: Watch) -> Incomplete:
    """The error of whoever finds a cohort held."""
    return Incomplete(
        f"{watch.leases}: another process is carrying out this cohort ({watch.holder()}); wait for"
        " it or stop it."
    )


@contextmanager
def lease(leases: Path, seconds: float = SECONDS, wait: bool = True) -> Iterator[Held]:
    """Holds a cohort for the block; see `take`. Raises Incomplete if it was lost meanwhile."""
    held = take(leases, seconds, wait)
    held.start()
    try:
        yield held
    except Exception:
        if held.standing() == "lost":
            raise held.lost() from None
        raise
    finally:
        held.release()


@contextmanager
def turn(leases: Path) -> Iterator[None]:
    """A lease for the block, which is waited for as long as another process holds it."""
    held = None
    while held is None:
        with suppress(Incomplete):
            held = take(leases)
    held.start()
    try:
        yield
    finally:
        held.release()


def running(folder: Path, cohort: Cohort) -> bool:
    """Whether a process is carrying the cohort out now, as far as a single look can tell.

    Known limit: of a process elsewhere the time of its last heartbeat speaks. Where two machines'
    clocks differ, this is wrong, but nothing is decided by it.
    """
    leases = Folder(folder).cohort(cohort.index).leases
    try:
        current = newest(leases)
        if current is None or current.free():
            return False
        beat = (leases / str(current.number) / HEARTBEAT).lstat().st_mtime
    except OSError:
        return False
    return abs(time.time() - beat) < current.seconds
