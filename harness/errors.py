"""Errors that a user must act on: one sentence, no traceback, the exit code of its class.

    UserError                2  a file, an option or a key is wrong           prints its sentence
    ├── NonConforming        7  this machine cannot do what was asked
    ├── Interrupted        130  stopped by the user: says what is saved
    ├── Incomplete           3  some runs have no result yet
    │   └── RetriesExhausted 3  infrastructure faults came back after all retries
    ├── CohortFailed         1  a bug ended a cohort: its traceback is in the cohort's log
    └── Unreadable           2  a policy file of an entry (entries/policies.py)
    Refused                  4  an entry does not verify (entries/verified.py): prints its verdict
    OSError                  3  if it is one of NO_ROOM
                             2  if it is one of NOT_ALLOWED; any other is a bug
    any other exception      1  a bug: its traceback is printed

Errors of the other packages never reach a user: the harness turns them into one of the above.

    EnvironmentFault   envs/worker.py          a fault of the cohort, retried; then RetriesExhausted
    KeyFileError       leaderboard/formats     UserError
    DocumentError      leaderboard/formats     UserError, or a failed check of a verdict
    EnvelopeError, SignedError, Defect         leaderboard     a failed check of a verdict
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import ClassVar, Literal

from harness.words import one_line
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
GONE = (
    errno.EIO,
    errno.ESTALE,
    errno.ENOTCONN,
    errno.ETIMEDOUT,
    errno.ENODEV,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
)
"""Errors of a file system that does not answer, and may again."""
NOT_ALLOWED = (
    errno.EACCES,
    errno.EPERM,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)
"""Errors of a path that a user named, or may not use."""
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

        What a file or an option brought in is shown, never obeyed.
        """
        self.reason = one_line(reason)
        super().__init__(f"{self.reason} {one_line(advice)}".rstrip())


class NonConforming(UserError):
    """This machine cannot carry out what was asked."""

    code = NONCONFORMING
    ending = "nonconforming"


class Interrupted(UserError):
    """Stopped by the user; the sentence says what is saved."""

    code = INTERRUPTED
    ending = "interrupted"


class Incomplete(UserError):
    """Some runs have no result yet."""

    code = INCOMPLETE
    ending: ClassVar[EndingKind] = "incomplete"


class CohortFailed(UserError):
    """A bug ended a cohort that another process carried out."""

    code = INTERNAL
    ending = "internal"


class RetriesExhausted(Incomplete):
    """An infrastructure fault came back after all retries."""

    ending = "fault"


def gone(error: Exception) -> bool:
    """Whether an error comes from a file system that does not answer, and may again."""
    cause = error if isinstance(error, OSError) else error.__context__
    return isinstance(cause, OSError) and cause.errno in GONE


BY_ENDING: dict[str, type[UserError]] = {
    "nonconforming": NonConforming,
    "user error": UserError,
    "internal": CohortFailed,
}
"""Kind of ending of a cohort -> the error of the command; Incomplete for all others."""
WORST = (NonConforming, UserError, CohortFailed, Incomplete)
"""Errors of several cohorts become one, of the first of these classes that is among them."""


def together(errors: Sequence[UserError]) -> UserError:
    """One error for all cohorts that have no results.

    It says that the same command resumes only if no cohort would end as before.
    """
    worst = next(kind for kind in WORST for error in errors if type(error) is kind)
    sentences = " ".join(error.reason for error in errors)
    return worst(sentences, RESUME if worst is Incomplete else "")
