"""A cohort that this process holds, and the only way to write what counts of it.

Every file that counts is renamed out of a workplace (`harness.files.Files`). Whoever takes the
cohort over removes the workplaces of those before him, and only then begins to read. So a process
that was taken for dead, and wakes up at any moment, can change nothing any more: there is no folder
that its files could be renamed out of. Removing, not renaming, is what holds on a network file
system, where a machine may remember a folder by another name than its path.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from harness.errors import RESUME, Incomplete, UserError, gone
from harness.files import Files
from harness.training.owner import Owner
from harness.words import say

OWNER = "owner.json"
HEARTBEAT = "heartbeat"
BEATS = 30
"""Heartbeats in the time after which a holder counts as silent."""
WIDTH = 12
"""Digits of a heartbeat. Always as many, so that beating needs no room on a full disk."""
FIRST_BEAT = b"0" * WIDTH
PATIENCE = 600.0
"""Seconds that a file system may be gone."""
POLL = 0.2
TRIES = 200
"""Times that a workplace is emptied whose owner goes on filling it."""

Standing = Literal["held", "lost", "gone"]
"""`gone`: the file system does not answer."""


class Held(Files):
    """A lease that this process took; what is written through it is written by its holder."""

    def __init__(self, leases: Path, number: int, owner: Owner) -> None:
        self.leases = leases
        self.number = number
        self.owner = owner
        self._own = leases / str(number)
        self._entered = dict[Path, Path]()
        """Folders of runs, each with the workplace in it."""
        self.heard: Standing = "held"
        """How the cohort stood at the last heartbeat."""
        self._beats = 0
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._keep_beating, daemon=True)

    # -- writing --

    def workplace(self, folder: Path) -> Path:
        """Where files of a folder are made: in it, if it was entered, or else in the lease."""
        return self._entered.get(folder, self._own)

    def enter(self, folders: list[Path]) -> None:
        """Make a workplace in each of these folders, and remove those of earlier holders there.

        These folders may be on other file systems than the lease. Raises Incomplete if the cohort
        is lost: to be called before anything in there is read.
        """
        made = dict[Path, Path]()
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            remove_workplaces(folder, self.number)
            made[folder] = folder / f".lease-{self.number}-{self.owner.token}"
            made[folder].mkdir(exist_ok=True)

        # Who took over before these were made may not have seen them, but ended the heartbeat:
        # they are of use only if it still beats.
        try:
            self.check()
        except Incomplete:
            for workplace in made.values():
                discard(workplace)
            raise
        self._entered |= made

    # -- the heartbeat --

    def start(self) -> None:
        """Beat from now on, in a thread."""
        self._heart.start()

    def _keep_beating(self) -> None:
        while not self._ended.wait(self.owner.seconds / BEATS):
            self.heard = self.standing()
            if self.heard == "lost":
                return

    def beat(self) -> None:
        """Raise the number. OSError if the lease is not there any more."""
        # Written over, not anew: what is gone must stay so.
        self._beats += 1
        file = os.open(self._own / HEARTBEAT, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.write(file, b"%0*d" % (WIDTH, self._beats))
        finally:
            os.close(file)

    def standing(self) -> Standing:
        """Whether the cohort is still held."""
        with suppress(OSError):
            self.beat()
            return "held"
        try:
            names = [path.name for path in self.leases.iterdir()]
        except OSError:
            return "gone"
        newer = any(name.isdigit() and int(name) > self.number for name in names)
        return "lost" if newer else "gone"

    def lost(self) -> Incomplete:
        """The error of a process that finds its cohort taken over."""
        return Incomplete(
            f"{self.leases}: another process has taken this cohort over, after this one was silent"
            f" for {self.owner.seconds:g} s. Nothing of this one was written since."
        )

    def check(self) -> bool:
        """Wait while the file system does not answer; returns whether it had to.

        Raises Incomplete if the cohort was lost, or if the file system stays away.
        """
        waited = False
        deadline = time.monotonic() + PATIENCE
        while (standing := self.standing()) == "gone":
            if not waited:
                waited = True
                with suppress(OSError):  # the log may lie there too
                    say(f"{self.leases}: does not answer; waiting for it.")
            if time.monotonic() > deadline:
                raise Incomplete(f"{self.leases}: is gone since {PATIENCE:g} s.", RESUME)
            time.sleep(POLL)
        if standing == "lost":
            raise self.lost()
        return waited

    def wait_if_gone(self, error: Exception) -> None:
        """Wait until the file system answers again, if that is what an error came from; raise any
        other error, and what `check` raises."""
        if not self.check() and not gone(error):
            raise error

    def release(self) -> None:
        """Let the cohort go, and leave no workplace."""
        self._ended.set()
        if self._heart.ident is not None:
            self._heart.join(timeout=self.owner.seconds)
        for workplace in self._entered.values():
            with suppress(UserError):
                discard(workplace)
        with suppress(OSError):
            (self._own / HEARTBEAT).unlink()


def remove_workplaces(folder: Path, before: int) -> None:
    """Remove the workplaces that holders of leases before this one left in a folder."""
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        match = re.match(r"\.lease-(\d+)-", path.name)
        if match and int(match[1]) < before:
            discard(path)


def discard(folder: Path) -> None:
    """Remove a folder; whatever its owner does in it afterwards fails.

    Raises UserError if it cannot be removed.
    """
    # Under another name, it cannot be found any more by a process of this machine.
    name = folder.name if folder.name.startswith(".lease-") else f".{folder.name}"
    renamed = folder.with_name(f"{name}.{os.urandom(4).hex()}")
    with suppress(OSError):
        folder.rename(renamed)
    for _ in range(TRIES):
        for path in (folder, renamed):
            with suppress(OSError):
                path.unlink()  # a link or a file that somebody put there
            shutil.rmtree(path, ignore_errors=True)
        left = [path for path in (folder, renamed) if not _is_gone(path)]
        if not left or all(_unlinked_by_us(path) for path in left):
            return
        time.sleep(POLL / 10)
    raise UserError(f"{left[0]}: cannot be removed.", "Remove it.")


def _is_gone(folder: Path) -> bool:
    """Whether it is not there, by the server's own word; an empty one is removed."""
    try:
        folder.rmdir()
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ESTALE)
    return True


def _unlinked_by_us(folder: Path) -> bool:
    """Whether nothing is left but what NFS keeps while a process of this machine has it open."""
    with suppress(OSError):
        return all(path.name.startswith(".nfs") for path in folder.iterdir())
    return False
