"""What runs on a node of a Ray cluster: a command of mst-bench, in a folder of the node's own.

Ray brings this class to the node by value, so it imports the standard library alone: a node that
lacks mst-bench, or has another one, can say so. All methods are short; the program that started it
calls them again and again, and decides everything.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

PREFIX = "mst-bench-ray-"
"""What the name of every folder of a node begins with."""
LOCK = ".lock"
LOG = ".output"
SNAPSHOT = ".snapshot"
"""A folder of links: a checkpoint that stays while it is read."""
IDENTITY = (
    "import json; from harness.machine.provenance import identity; print(json.dumps(identity()))"
)
TRIES = 100
"""Times that a checkpoint may be replaced while it is linked."""


def identity_here() -> dict[str, Any]:
    """This node's name, and the code and libraries that a cohort would run with here."""
    command = [sys.executable, "-P", "-c", IDENTITY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    host = f"{socket.gethostname()} ({sys.executable})"
    if done.returncode == 0:
        return {"host": host, "identity": json.loads(done.stdout), "reason": ""}
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return {"host": host, "identity": {}, "reason": lines[-1]}


class Node:
    """One command of mst-bench at a time, its files, and what it says."""

    def __init__(self) -> None:
        _remove_leftovers(Path(tempfile.gettempdir()))
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = open(self.folder / f"{LOCK}ing", "wb")  # noqa: SIM115 - as long as this lives
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (self.folder / f"{LOCK}ing").rename(self.folder / LOCK)  # locked from the beginning
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> dict[str, Any]:
        """`identity_here`, and the folder to work in."""
        return {**identity_here(), "folder": str(self.folder)}

    # -- files, by their names in the folder --

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write a part of a file, which is made with the first one."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)

    def read(self, name: str, offset: int, length: int) -> bytes:
        """A part of a file; empty behind its end, and if it is not there."""
        with suppress(FileNotFoundError), open(self.folder / name, "rb") as file:
            file.seek(offset)
            return file.read(length)
        return b""

    def files(self, folders: list[str]) -> dict[str, str]:
        """The files in these folders, with the sha256 of each."""
        digests = dict[str, str]()
        for folder in folders:
            for path in sorted((self.folder / folder).iterdir()):
                if path.is_file() and not path.name.startswith("."):
                    with open(path, "rb") as file:
                        digest = hashlib.file_digest(file, "sha256").hexdigest()
                    digests[f"{folder}/{path.name}"] = digest
        return digests

    def snapshot(self, checkpoints: str, after: int) -> int | None:
        """Keep the newest checkpoint in a folder, if it is newer than number `after`, as it is now,
        under SNAPSHOT; returns its number."""
        folder = self.folder / checkpoints
        kept = self.folder / SNAPSHOT
        for _ in range(TRIES):
            numbers = [int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit()]
            newest = max(numbers, default=0)
            if newest <= after:
                return None

            # The cohort may write the next one, and remove this one, in this moment.
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir()
            with suppress(FileNotFoundError):
                for name in (f"{newest}.json", f"{newest}.safetensors"):
                    os.link(folder / name, kept / name)
                segments = json.loads((kept / f"{newest}.json").read_bytes())["segments"]
                for segment in segments:
                    for member in range(len(segment["rows"])):
                        name = f"rows-{member}-{segment['name']}.bin"
                        os.link(folder / name, kept / name)
                return newest
            time.sleep(0.01)
        return None

    # -- the command --

    def start(self, words: list[str]) -> None:
        """Start `mst-bench` with these arguments. It ends with this process."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("MST_BENCH_")
        }
        environment |= {"OMP_NUM_THREADS": "1", "MST_BENCH_PARENT": str(os.getpid())}
        command = [sys.executable, "-P", "-m", "harness.cli", *words]

        # Ray blocks SIGINT in its processes; the command waits for it.
        blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            with open(self.folder / LOG, "ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    cwd=self.folder,
                    start_new_session=True,
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def look(self, names: list[str], log_offset: int) -> dict[str, Any]:
        """The exit code, once it ended; what it said since; and when these files changed.

        The exit code is asked first: with it, the rest is all that there will be.
        """
        code = self._process.poll() if self._process else None
        stamps = dict[str, str]()
        for name in names:
            with suppress(FileNotFoundError):
                status = (self.folder / name).stat()
                stamps[name] = f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
        output = self.read(LOG, log_offset, 1 << 20)
        return {"code": code, "output": output, "stamps": stamps}

    def ask(self) -> None:
        """Ask the command to save and stop."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the command, if it still runs, and leave nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    """Remove folders of processes that were killed: nobody holds their locks any more."""
    for folder in parent.glob(f"{PREFIX}*"):
        if not re.fullmatch(rf"{PREFIX}\w+", folder.name):
            continue
        with suppress(OSError), open(folder / LOCK, "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
