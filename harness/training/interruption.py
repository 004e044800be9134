"""Ctrl-C: a first one saves and stops, a second one stops at once; both say what that costs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Self

from harness.errors import RESUME, Interrupted
from harness.words import count

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def nothing() -> int:
    """The agent steps that are lost while nothing is trained."""
    return 0


class Interruption:
    """SIGINT and SIGTERM while a cohort is carried out in this process.

    The first asks to stop after the current step, and SIGINT says so at once; a second SIGINT acts
    as it did before. SIGTERM may come more than once: Linux sends it for each thread of a dying
    parent in turn.
    """

    def __init__(self) -> None:
        self.asked = False
        """Whether a signal came."""
        self.unsaved: Callable[[], int] = nothing
        """Agent steps since the newest checkpoint."""

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            signal.signal(number, self._ask)
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, self._before[signal.SIGINT])
            # The signal may come in the middle of a print, which is not to be entered twice.
            os.write(2, f"mst-bench: {saving([self.unsaved()])}\n".encode())


def saving(unsaved: Sequence[int]) -> str:
    """What a first Ctrl-C says. `unsaved`: of each cohort, the agent steps since its newest
    checkpoint."""
    if not unsaved:
        return "stopping"
    if len(unsaved) == 1:
        return f"saving; once more stops now and loses about {count(unsaved[0], 'agent step')}"
    most = count(max(unsaved), "agent step")
    return f"saving {len(unsaved)} cohorts; once more stops now and loses up to {most} of each"


def kept(saved: int, unsaved: int, total: int) -> str:
    """What is left of a cohort that had no time to save: agent steps of its newest checkpoint,
    those since, and those of its budget."""
    lost = f"about {count(unsaved, 'agent step')}"
    if saved == 0:
        return f"there is no checkpoint yet, {lost} of {total:,} are lost"
    return f"the newest checkpoint holds {saved:,} of {total:,} agent steps, {lost} since are lost"


def at_once(saved: int, unsaved: int, total: int) -> Interrupted:
    """The error of a cohort that was stopped before it saved; see `kept`."""
    return Interrupted(f"stopped at once: {kept(saved, unsaved, total)}.", RESUME)
