"""What is said of cohorts that have no results, and of the time that is left for them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.errors import NO_ROOM, Incomplete, UserError, gone
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.training import faults
from harness.training.ending import Ending, ending_of, error_of
from harness.training.held import PATIENCE
from harness.training.unit import finished


def error_after(folder: Path, cohort: Cohort, ending: Ending, retries: int) -> UserError:
    """The error of a cohort that ended without results. After a bug, its output holds the
    traceback."""
    sentence = f"cohort {cohort.index}: {ending.reason}"
    if ending.kind == "killed":
        gave_up = faults.gave_up(retries)
        sentence = f"{sentence.removesuffix('.')}; {gave_up}. What was saved is whole."
    if ending.kind == "internal":
        sentence += f" Its output is in {Folder(folder).cohort(cohort.index).log}."
    return error_of(ending, sentence)


def still(folder: Path, errors: Sequence[tuple[Cohort | None, UserError]]) -> list[UserError]:
    """The errors that are not about a cohort which another engine finished meanwhile."""
    left = list[UserError]()
    for cohort, error in errors:
        done = False
        if cohort is not None:
            with suppress(OSError):  # what cannot be seen is not finished
                done = finished(folder, cohort)
        if not done:
            left.append(error)
    return left


def error_about(cohort: Cohort, error: Exception) -> UserError:
    """The command's error for a cohort whose files it could not look at."""
    if gone(error):
        return Incomplete(f"cohort {cohort.index}: its files are gone since {PATIENCE:g} s.")
    if isinstance(error, OSError) and error.errno not in NO_ROOM:
        where = f"{error.filename}: " if error.filename else ""
        return UserError(f"cohort {cohort.index}: {where}{error.strerror}.")
    ending = ending_of(error)
    return error_of(ending, f"cohort {cohort.index}: {ending.reason}")


def out_of_time(cohorts: int) -> str:
    """A sentence about so many cohorts that were not begun."""
    waiting = "1 cohort waits" if cohorts == 1 else f"{cohorts} cohorts wait"
    return f"{waiting}: --max-wall is over."
