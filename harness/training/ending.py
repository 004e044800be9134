"""How an attempt at a cohort ended: cohorts/<i>/ending.json, which executors read.

The attempt removes the file when it begins and writes it last, both through the cohort's lease: one
that was taken over says nothing any more. A process that is killed leaves none, so an ending always
belongs to the newest attempt; it counts only if it names the exit code that the process really had.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from harness.config import build
from harness.errors import (
    BY_ENDING,
    INCOMPLETE,
    INTERNAL,
    INTERRUPTED,
    MAKE_ROOM,
    NO_ROOM,
    OK,
    EndingKind,
    Incomplete,
    Interrupted,
    NonConforming,
    UserError,
    gone,
)
from harness.files import read_json
from harness.folder import CohortFolder
from harness.training.held import Held
from harness.training.lease import SECONDS, Watch, lease

SCHEMA = "urn:mst-bench:ending:v1"
KINDS = {error.code: error.ending for error in (UserError, Incomplete, NonConforming, Interrupted)}
"""Exit code -> kind of ending, where the code alone speaks."""


@dataclass(frozen=True)
class Ending:
    """ending.json, or what an exit code or a container's state says in its place."""

    schema: str
    code: int
    """Exit code of `run-cohort`."""
    kind: EndingKind
    reason: str
    """A sentence; empty for a finished cohort."""


def ending(code: int, kind: EndingKind, reason: str = "") -> Ending:
    """An ending of today's schema."""
    return Ending(SCHEMA, code, kind, reason)


@contextmanager
def recorded(cohort: CohortFolder, seconds: float = SECONDS) -> Iterator[Held]:
    """One attempt at a cohort, whose ending is written when the block is left, however it is left.

    Raises Incomplete if another process carries the cohort out, and nothing is written then; or if
    one took it over after `seconds` of silence.
    """
    with lease(cohort.leases, seconds) as held:
        held.remove(cohort.ending)
        try:
            yield held
        except BaseException as error:
            # On a full disk this cannot be written either: the exit code then speaks alone.
            with suppress(OSError, UserError):
                held.write_json(cohort.ending, asdict(ending_of(error)))
            raise
        held.write_json(cohort.ending, asdict(ending(OK, "finished")))


def ending_of(error: BaseException) -> Ending:
    """The ending that an exception stands for, with the exit code of the command line."""
    if isinstance(error, UserError):
        return ending(error.code, error.ending, error.reason)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        reason = f"{error.filename or 'writing'}: {error.strerror}. {MAKE_ROOM}"
        return ending(INCOMPLETE, "incomplete", reason)
    if isinstance(error, KeyboardInterrupt):
        return ending(INTERRUPTED, "interrupted", "stopped before everything was saved.")
    return ending(INTERNAL, "internal", f"{type(error).__name__}: {error}.")


def forget(cohort: CohortFolder, watch: Watch) -> bool:
    """Remove the ending of an earlier attempt, before another one is started.

    `watch` saw the cohort free. False if another process took it meanwhile: its ending is to come.
    """
    held = watch.claim(SECONDS)
    if held is None:
        return False
    try:
        held.remove(cohort.ending)
    finally:
        held.release()
    return True


def read_ending(cohort: CohortFolder) -> Ending | None:
    """The ending of the newest attempt; None while it is under way, and after it was killed."""
    if not cohort.ending.exists():
        return None
    stated = build(Ending, read_json(cohort.ending), str(cohort.ending))
    if stated.schema != SCHEMA:
        raise UserError(f"{cohort.ending}: schema is {stated.schema}, expected {SCHEMA}.")
    return stated


def stated_ending(cohort: CohortFolder) -> Ending | None:
    """`read_ending`; one that was edited by hand is as good as none.

    Raises what comes from a file system that does not answer.
    """
    try:
        return read_ending(cohort)
    except UserError as error:
        if gone(error):
            raise
        return None


def error_of(ending: Ending, sentence: str) -> UserError:
    """The command's error for a cohort that ended in this way; `sentence` says which, and why."""
    return BY_ENDING.get(ending.kind, Incomplete)(sentence)


def ending_of_process(cohort: CohortFolder, code: int) -> Ending:
    """The ending that a process with this exit code left, or else what the code alone says."""
    stated = stated_ending(cohort)
    if stated is not None and stated.code == code:
        return stated

    if code == OK:
        return ending(OK, "finished")
    if code in KINDS:
        reason = f"its process ended with exit code {code}, and its output is in {cohort.log}."
        return ending(code, KINDS[code], reason)
    return ending(code, "internal", f"its process ended with exit code {code}.")
