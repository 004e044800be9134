"""Threads for what the host computes while it, or a device, does something else.

Work must release Python's lock to gain anything: torch's kernels and hashes of long texts do.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache


@cache
def background() -> ThreadPoolExecutor:
    """As many threads as this process has CPUs."""
    return ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="background")
