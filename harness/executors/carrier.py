"""What carries a cohort out, and how many of them are stopped together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from harness.executors.patience import Patience
from harness.training.ending import Ending

POLL = 0.2
"""Seconds between looks at what saves."""


class Carrier(Protocol):
    """A process or container that carries one cohort out."""

    def ending(self) -> Ending | None:
        """How it ended, once it has; nothing of it is left then."""
        ...

    def ask(self) -> None:
        """Ask it to save and stop."""
        ...

    def kill(self) -> None:
        """End it now, if it still runs; that may last a moment longer."""
        ...

    def join(self) -> None:
        """Once it was killed: return when nothing of it is left."""
        ...


def end(carriers: Sequence[Carrier]) -> None:
    """End all at once, and leave nothing of them."""
    for carrier in carriers:
        carrier.kill()
    for carrier in carriers:
        carrier.join()


def save(
    carriers: Sequence[Carrier], patience: Patience, look: Callable[[], None]
) -> list[Exception]:
    """Ask all to save, and return once they ended.

    `look` is called while that lasts. Returns the errors of those that could not be asked, or
    looked at: the others are waited for all the same.
    """
    errors = list[Exception]()
    for carrier in carriers:
        try:
            carrier.ask()
        except Exception as error:
            errors.append(error)

    def runs(carrier: Carrier) -> bool:
        try:
            return carrier.ending() is None
        except Exception as error:
            if patience.lasts(carrier, error):
                return True
            errors.append(error)
            return False

    # Every one is looked at each time: some need several looks to know that they ended.
    while carriers := [carrier for carrier in carriers if runs(carrier)]:
        time.sleep(POLL)
        look()
    return errors
