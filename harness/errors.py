"""Errors that a user must act on: one sentence, no traceback, the exit code of its class.

    UserError                2  a file, an option or a key is wrong           prints its sentence
    ├── NonConforming        7  this machine cannot do what was asked
    ├── Interrupted        130  stopped by the user, everything saved
    ├── Incomplete           3  some runs have no result yet
    │   └── RetriesExhausted 3  infrastructure faults came back after all retries
    └── Unreadable           2  a policy file of an entry (entries/policies.py)
    Refused                  4  an entry does not verify (entries/verified.py): prints its verdict
    OSError                  3  if it is one of NO_ROOM; any other is a bug
    any other exception      1  a bug: its traceback is printed

Errors of the other packages never reach a user: the harness turns them into one of the above.

    EnvironmentFault   envs/worker.py          a fault of the cohort, retried; then RetriesExhausted
    KeyFileError       leaderboard/formats     UserError
    DocumentError      leaderboard/formats     UserError, or a failed check of a verdict
    EnvelopeError, SignedError, Defect         leaderboard     a failed check of a verdict
"""

from __future__ import annotations

import errno
from typing import ClassVar, Literal

from leaderboard.formats.document import printable
from leaderboard.formats.document import suggestion as suggestion

OK = 0
INTERNAL = 1
USAGE = 2
INCOMPLETE = 3
UNVERIFIED = 4
REGRESSION = 5
INCONCLUSIVE = 6
NONCONFORMING = 7
INTERRUPTED = 130

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Write errors caused by the disk, not by a bug: full, over quota, too large, read-only."""
MAKE_ROOM = "What was saved before is whole; make room and give the same command again."
RESUME = "The same command resumes."
"""What to do about runs that are not finished."""

EndingKind = Literal[
    "finished",
    "incomplete",
    "interrupted",
    "fault",
    "nonconforming",
    "user error",
    "internal",
    "killed",
]
"""How an attempt at a cohort ends (training/ending.py). `fault`: retries exhausted. `internal`: a
bug. `killed`: from outside, so that the attempt itself cannot say it."""


class UserError(Exception):
    """Something the user did or must do; `code` is the process's exit code."""

    code = USAGE
    ending: ClassVar[EndingKind] = "user error"
    """The kind of ending of a cohort that raised it."""

    def __init__(self, reason: str, advice: str = "") -> None:
        """`reason`: what is wrong, on one line; `advice`: what to do, printed after it.

        Control characters that a file or an option brought in are spelled out.
        """
        self.reason = printable(reason)
        super().__init__(f"{self.reason} {advice}".rstrip())


class NonConforming(UserError):
    """This machine cannot carry out what was asked."""

    code = NONCONFORMING
    ending = "nonconforming"


class Interrupted(UserError):
    """Stopped by the user, everything saved."""

    code = INTERRUPTED
    ending = "interrupted"


class Incomplete(UserError):
    """Some runs have no result yet."""

    code = INCOMPLETE
    ending: ClassVar[EndingKind] = "incomplete"


class RetriesExhausted(Incomplete):
    """An infrastructure fault came back after all retries."""

    ending = "fault"
