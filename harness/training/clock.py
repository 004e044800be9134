"""Where the time of a cohort goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Seconds by activity (train, env, eval, checkpoint), for timing.json."""

    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    """Seconds since 1970."""

    @contextmanager
    def time(self, activity: str) -> Iterator[None]:
        """Adds the duration of the block to an activity."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[activity] = self.seconds.get(activity, 0.0) + spent

    def restore(self, seconds: dict[str, float], started: float) -> None:
        """Continues from a checkpoint."""
        self.seconds = dict(seconds)
        self.started = started
