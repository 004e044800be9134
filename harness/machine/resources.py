"""What this process may use: cores, memory and disk, with a container's limits counted in."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
GIB = float(2**30)


def cores() -> int:
    """CPUs that this process may use: its CPU set, and a container's quota rounded up."""
    allowed = len(os.sched_getaffinity(0))
    quota, _, period = _read(CGROUP / "cpu.max").partition(" ")
    return min(allowed, math.ceil(int(quota) / int(period))) if quota.isdigit() else allowed


def memory_gib() -> float:
    """Memory that is free for new processes, in GiB: the machine's, or what a container's limit leaves."""
    fields = dict(line.split(":", 1) for line in _read(Path("/proc/meminfo")).splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    limit, used = _read(CGROUP / "memory.max"), _read(CGROUP / "memory.current")
    left = int(limit) - int(used) if limit.isdigit() and used.isdigit() else free
    return min(free, left) / GIB


def disk_gib(path: Path) -> float:
    """Free disk under the nearest folder of `path` that exists, in GiB."""
    there = next(
        folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists()
    )
    return shutil.disk_usage(there).free / GIB


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""
