"""Where the time of a cohort goes.

A machine's clock may be set back or forward while a cohort runs. Everything that is measured here
is measured by a clock that nobody can set; the time of day only says when it began and ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Clock:
    """Seconds by activity (train, env, eval, checkpoint), for timing.json."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.time()
        """Seconds since 1970."""
        self._earlier = 0.0
        """Seconds that earlier sessions took."""
        self._begin = time.monotonic()

    @contextmanager
    def time(self, activity: str) -> Iterator[None]:
        """Adds the duration of the block to an activity."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[activity] = self.seconds.get(activity, 0.0) + spent

    def now(self) -> float:
        """Seconds since 1970, and no fewer than `started` and what was spent since."""
        return max(time.time(), self.started + self._spent())

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"seconds": dict(self.seconds), "started": self.started, "spent": self._spent()}

    def restore(self, seconds: dict[str, float], started: float, spent: float) -> None:
        """Continues from a checkpoint."""
        self.seconds = dict(seconds)
        self.started = started
        self._earlier = spent
        self._begin = time.monotonic()

    def _spent(self) -> float:
        """Seconds of all sessions."""
        return self._earlier + time.monotonic() - self._begin
