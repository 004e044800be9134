"""Gives a tracker what runs record, while they record it.

Records are read from their files, in a thread of the command that was typed. So nothing that
decides numbers knows of it, and every executor has it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.errors import UserError, suggestion
from harness.exports import TRACKERS, Curve, Store, Tracked
from harness.exports.export import point_of
from harness.folder import Folder
from harness.planning.plan import Plan
from harness.training.following import Following
from harness.words import say

SECONDS = 2.0
"""From one look at the files to the next."""


@dataclass
class Followed(Following):
    """A run whose records a tracker is given."""

    reached: tuple[int, bool] = (-1, False)
    """Step of the last point that was given on, and whether it was the final one: a run that
    resumes from a checkpoint records again what came after it."""
    curve: Curve | None = None


class Live:
    """Curves of a plan's open runs in a tracker's store, from entering the context to leaving it.

    What goes wrong with the tracker is said once, and ends the curves and nothing else.
    """

    def __init__(self, plan: Plan, folder: Path, store: Store) -> None:
        self._plan = plan
        self._store = store
        paths = {run: Folder(folder).run(run) for run in plan.runs}
        self._runs = [
            Followed(run, files.records)
            for run, files in paths.items()
            if not files.result.exists()
        ]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="live curves", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        try:
            while not self._ended.wait(SECONDS):
                self._look()
            self._look()
            for followed in self._runs:
                if followed.curve is not None:
                    followed.curve.close()
            self._store.close()
        except Exception as error:
            say(f"--log: {self._store.path} is no longer written: {type(error).__name__}: {error}")

    def _look(self) -> None:
        """Gives on what was recorded since."""
        for followed in self._runs:
            for record in followed.new_records():
                point = point_of(record, self._plan.budget.action_repeat)
                if point is not None and (point.environment_step, point.final) > followed.reached:
                    followed.reached = point.environment_step, point.final
                    self._curve(followed).log(point.environment_step, point.values)

    def _curve(self, followed: Followed) -> Curve:
        """The curve of a run, opened once it has anything."""
        if followed.curve is None:
            tracked = Tracked(self._plan.id, self._plan.suite.name, followed.run)
            followed.curve = self._store.open(tracked)
        return followed.curve


def store(tracker: str, out: Path) -> Store:
    """The store of a tracker under OUT; UserError if there is none of that name, or its library is
    not installed."""
    if tracker not in TRACKERS:
        raise UserError(f"--log {tracker}: unknown tracker.{suggestion(tracker, TRACKERS)}")
    opened: Store = TRACKERS[tracker].load(f"--log {tracker}")(out)
    return opened
