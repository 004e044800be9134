"""Reads a board's log for a command: what is wrong with it becomes one sentence and exit code 4."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.board.remembered import keep_evidence
from harness.errors import UNVERIFIED, UserError
from leaderboard.board.log import BoardLog
from leaderboard.board.views import ForkError
from leaderboard.formats.document import DocumentError

AHEAD = 600
"""Seconds that clocks may differ by."""


class Invalid(UserError):
    """Something is wrong with a log, and nothing was signed."""

    code = UNVERIFIED


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Turns what is wrong with a log into the command's error; a fork leaves both notes in
    `folder`."""
    try:
        yield
    except ForkError as fork:
        evidence = keep_evidence(folder, fork)
        raise Invalid(
            f"{folder}: {fork}.",
            f"The notes are in {evidence}: show them to the board's other readers.",
        ) from None
    except DocumentError as error:
        raise Invalid(f"{folder}: {str(error).removesuffix('.')}.") from None


def check_clock(log: BoardLog, now: int) -> None:
    """DocumentError for a leaf or a cosignature of the future: times only grow, so it would bar
    everybody else's."""
    if log.board.at > now + AHEAD:
        raise DocumentError(
            f"leaf {log.size - 1}: was logged {log.board.at - now} seconds from now"
        )
    for size, signed in log.signed.items():
        for key, time in signed.cosigned.items():
            if time > now + AHEAD:
                raise DocumentError(
                    f"checkpoint {size}: {key.name} cosigned it {time - now} seconds from now"
                )
