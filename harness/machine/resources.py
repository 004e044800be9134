"""Cores, memory and disk that this process may use, within the limits of its container."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
GIB = float(2**30)


def cores() -> int:
    """CPUs that this process may use: its CPU set, or a container's quota rounded up if smaller."""
    allowed = len(os.sched_getaffinity(0))
    quota, _, period = _read(CGROUP / "cpu.max").partition(" ")
    if not quota.isdigit():
        return allowed
    return min(allowed, math.ceil(int(quota) / int(period)))


def memory_gib() -> float:
    """Free memory for new processes, in GiB: the machine's, or what a container's limit leaves."""
    fields = dict(line.split(":", 1) for line in _read(Path("/proc/meminfo")).splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024

    # A container's limit, if it has one, counts what it already uses.
    limit = _read(CGROUP / "memory.max")
    used = _read(CGROUP / "memory.current")
    if limit.isdigit() and used.isdigit():
        free = min(free, int(limit) - int(used))
    return free / GIB


def disk_gib(path: Path) -> float:
    """Free disk space in GiB at `path`, which may not exist yet."""
    folders = (path.absolute(), *path.absolute().parents)
    existing = next(folder for folder in folders if folder.exists())
    return shutil.disk_usage(existing).free / GIB


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""
