"""How long what writes the manifest may wait for room, where a scheduler decides on it."""

from __future__ import annotations

import math
import time

from harness.errors import Incomplete
from harness.options import Options

AT_LEAST = 60.0
"""Seconds that it may wait in any case: where there is room, a plan whose time is over is sealed
too, with what results there are."""


class Deadline:
    """The end of `--max-wall`, for what writes the manifest; once begun, it takes its time."""

    def __init__(self, options: Options, started: float) -> None:
        """`started`: when the command began, of time.time."""
        left = math.inf if options.max_wall is None else options.max_wall - (time.time() - started)
        self._end = time.monotonic() + max(AT_LEAST, left)

    def check(self) -> None:
        """Raise Incomplete once it is over."""
        if time.monotonic() > self._end:
            raise Incomplete("the manifest waited for room: --max-wall is over.")
