"""Who holds a cohort, and whether that process is known to be dead.

Only a process of the same machine and the same process namespace can be known to be dead. Of any
other one its silence speaks (training/lease.py); nothing here compares the clocks of two machines.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.options import LONGEST_LEASE

SCHEMA = "urn:mst-bench:owner:v1"
PROC = Path("/proc")


@dataclass(frozen=True)
class Owner:
    """owner.json of a lease."""

    schema: str
    token: str
    """Different for each lease that was ever taken."""
    host: str
    pid: int
    begun: int
    """When the process began, in the kernel's ticks since boot; 0 where that is not known."""
    machine: str
    """The boot and the process namespace that `pid` belongs to; empty where that is not known."""
    seconds: float
    """Silence after which this lease may be taken over."""

    def __post_init__(self) -> None:
        if self.schema != SCHEMA or not 0.0 < self.seconds <= LONGEST_LEASE:
            raise ValueError(f"schema {SCHEMA} and up to {LONGEST_LEASE} seconds are expected")


def this_process(seconds: float) -> Owner:
    """This process, under a new token."""
    pid = os.getpid()
    state = _state(pid)
    return Owner(
        schema=SCHEMA,
        token=secrets.token_hex(16),
        host=socket.gethostname(),
        pid=pid,
        begun=state[1] if state else 0,
        machine=_machine(),
        seconds=seconds,
    )


def dead(owner: Owner) -> bool:
    """Whether the process is known to be dead. False where that cannot be known from here."""
    if not owner.machine or owner.machine != _machine():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's process
        return False

    # Dead and not yet buried, or another process that got its number.
    state = _state(owner.pid)
    return state is not None and (state[0] in "ZX" or state[1] != owner.begun)


def _machine() -> str:
    """This boot of this machine, and this process's own namespace of process numbers."""
    with suppress(OSError):
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(PROC / 'self/ns/pid').readlink()}"
    return ""


def _state(pid: int) -> tuple[str, int] | None:
    """A process's state, as one letter, and when it began; None where that cannot be read."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # a name may hold anything
    return fields[0], int(fields[19])
