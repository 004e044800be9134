"""The display of cohorts, which goes on where some of what it shows cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.errors import UserError
from harness.executors.patience import Patience
from harness.training.ending import ending_of
from harness.training.progress import Display


class Shown:
    """What cannot be read is not shown: whether a cohort can go on is for others to find."""

    def __init__(self, display: Display, patience: Patience) -> None:
        self.display = display
        self.patience = patience
        self._reason = ""
        """Why not everything was shown at the last look."""

    def progress(self, running: list[int]) -> None:
        """How far the running cohorts are, by index."""
        self._show(partial(self.display.refresh, running))

    def returns(self, cohort: int) -> None:
        """What a cohort's policies reached."""
        self._show(partial(self.display.show_returns, cohort))

    def _show(self, show: Callable[[], None]) -> None:
        try:
            show()
            self._reason = ""
            self.patience.answered("progress")
        except (OSError, UserError) as error:
            if self.patience.lasts("progress", error):
                return
            reason = ending_of(error).reason
            if reason != self._reason:
                self._reason = reason
                self.display.say(f"mst-bench: not all progress is shown: {reason}")
