"""What the process of a cohort is told by the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT = "MST_BENCH_PARENT"
"""Environment variable in which a cohort's process finds the process that started it."""
PREFIX = "MST_BENCH_"
"""What every environment variable of ours begins with."""
PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when its parent dies."""


def child_environment() -> dict[str, str]:
    """This process's environment, but for every variable of ours.

    A cohort runs the agent's code, and has no use for the key and the passphrase of its entry; its
    options are its arguments.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**inherited, "OMP_NUM_THREADS": "1", PARENT: str(os.getpid())}


def stop_with_parent() -> None:
    """In a cohort's process: save and stop when the process that started it dies, in any way."""
    parent = os.environ.pop(PARENT, None)
    if parent is None or not sys.platform.startswith("linux"):
        return

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)
