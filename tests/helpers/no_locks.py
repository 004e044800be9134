"""A process for which no file system has locks or hard links: its kernel refuses the calls."""

import ctypes
import errno
import os
import platform
import struct

CALLS = {"x86_64": {"flock": 73, "fcntl": 72, "link": 86, "linkat": 265}}
CALLS["aarch64"] = {"flock": 32, "fcntl": 25, "linkat": 37}
LOCKING = (5, 6, 7, 36, 37, 38)
"""What `fcntl` is asked for: F_GETLK, F_SETLK, F_SETLKW and those of open files."""
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
COMMAND = 24
"""Where a call's second argument lies in what a filter sees."""


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def refuse():
    """From now on, in this process and what it starts. False where there is no such filter."""
    calls = dict(CALLS.get(platform.machine(), {}))
    if not calls:
        return False
    fcntl = calls.pop("fcntl")
    no = REFUSE | errno.ENOLCK

    # Calls that are refused whatever they ask for, then those of fcntl that lock.
    steps = [(LOAD, 0, 0, 0)]
    for number in calls.values():
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, no)]
    steps += [(EQUAL, 1, 0, fcntl), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, COMMAND)]
    for command in LOCKING:
        steps += [(EQUAL, 0, 1, command), (RETURN, 0, 0, no)]
    steps += [(RETURN, 0, 0, ALLOW)]

    packed = b"".join(struct.pack("HBBI", *step) for step in steps)
    program = Program(len(steps), packed)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0) == 0


def refused():
    """Whether locks and hard links are refused to this process."""
    import fcntl

    with open(os.devnull) as file:
        for lock in (fcntl.flock, fcntl.lockf):
            try:
                lock(file, fcntl.LOCK_SH)
            except OSError as error:
                if error.errno == errno.ENOLCK:
                    continue
            return False
    return True
