"""Progress of cohorts: each writes a small file, whoever watches reads them. Bars on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from harness.config import build
from harness.files import read_json, write_json
from harness.folder import Folder
from harness.planning.cohorts import Cohort

SCHEMA = "urn:mst-bench:progress:v1"
LINE_EVERY = 60.0
"""Seconds between lines where no terminal is."""


@dataclass(frozen=True)
class Standing:
    """Where a cohort is."""

    schema: str
    step: int
    """Agent steps done."""
    total: int
    """Agent steps of the budget."""
    rate: float
    """Agent steps a second of the whole cohort (each step moves all its members) since it began to act, or to learn."""
    learning: bool
    """False while the cohort acts at random: its rate then says nothing about what follows."""
    seconds_left: float
    """At this rate; while not learning, an estimate from counted arithmetic. -1 when not known yet."""
    signs: tuple[str, ...] = ()
    """Signs of failure that its runs showed, in words."""


def standing_of(folder: Path, index: int) -> Standing | None:
    """Where a cohort was when it last said so."""
    path = Folder(folder).cohort(index).progress
    return build(Standing, read_json(path), "progress.json") if path.exists() else None


class Writer:
    """Writes a cohort's standing, at most once a second."""

    def __init__(self, path: Path, total: int, warmup: int, expected_seconds: float) -> None:
        """`warmup` agent steps are random and cheap; `expected_seconds` is the estimate for all of them."""
        self.path, self.total, self.warmup, self.expected = path, total, warmup, expected_seconds
        self._written = 0.0
        self._called = time.monotonic()
        self._since: tuple[int, float, bool] | None = None

    def __call__(self, step: int, signs: Sequence[str] = ()) -> None:
        before, now = self._called, time.monotonic()
        self._called = now
        learning = step > self.warmup
        if self._since is None or self._since[2] != learning or step == 0:
            # counted from before the step: the first one that learns trains the encoder for a whole cycle
            self._since = (max(0, step - 1), before if step else now, learning)
        if now - self._written < 1.0 and step < self.total:
            return
        done, seconds = step - self._since[0], now - self._since[1]
        rate = done / seconds if seconds > 0 else 0.0
        left = self.expected if not learning else (self.total - step) / rate if rate > 0 else -1.0
        write_json(
            self.path,
            asdict(Standing(SCHEMA, step, self.total, rate, learning, left, tuple(signs))),
        )
        self._written = now


class Display:
    """Shows cohorts' standings on stderr until closed."""

    def __init__(self, folder: Path, cohorts: list[Cohort]) -> None:
        self.folder, self.cohorts = folder, {cohort.index: cohort for cohort in cohorts}
        self.console = Console(stderr=True)
        self._line_at = (
            time.monotonic() - LINE_EVERY + 5.0
        )  # the first line soon, so that a rate is seen early
        self._tasks: dict[int, TaskID] = {}
        self._told: set[str] = set()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} {task.fields[rate]}"),
        )
        self.bars = Progress(*columns, console=self.console) if self.console.is_terminal else None
        if self.bars:
            self.bars.start()

    def refresh(self, running: list[int]) -> None:
        """Look at the standing files of the running cohorts again."""
        standings = {
            index: standing for index in running if (standing := standing_of(self.folder, index))
        }
        for sign in dict.fromkeys(
            sign for standing in standings.values() for sign in standing.signs
        ):
            if sign not in self._told:
                self._told.add(sign)
                self.console.print(
                    f"sign of failure: {sign}", soft_wrap=True, highlight=False, markup=False
                )
        if self.bars:
            for index, standing in standings.items():
                self._bar(index, standing)
        elif time.monotonic() - self._line_at >= LINE_EVERY and standings:
            self._line_at = time.monotonic()
            for index in standings:
                self.console.print(
                    line(self.folder, self.cohorts[index], running=True), soft_wrap=True
                )

    def step(self, index: int) -> int:
        """Agent steps that a cohort had done when it last said so."""
        standing = standing_of(self.folder, index)
        return standing.step if standing else 0

    def _bar(self, index: int, standing: Standing) -> None:
        assert self.bars is not None
        if index not in self._tasks:
            self._tasks[index] = self.bars.add_task(
                _name(self.cohorts[index]), total=standing.total, rate=""
            )
        self.bars.update(self._tasks[index], completed=standing.step, rate=_rate(standing))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bars:
            self.bars.stop()


def line(folder: Path, cohort: Cohort, running: bool) -> str:
    """Where a cohort is, in one line."""
    standing = standing_of(folder, cohort.index)
    if standing is None:
        return f"{_name(cohort)}: not begun"
    where = f"{_name(cohort)}: {standing.step}/{standing.total} agent steps"
    where += f", {len(standing.signs)} signs of failure" if standing.signs else ""
    return f"{where}, {_rate(standing)}" if running else f"{where}, not running"


def _name(cohort: Cohort) -> str:
    return f"cohort {cohort.index} ({cohort.task}, {len(cohort.runs)} runs)"


def _rate(standing: Standing) -> str:
    if standing.rate == 0.0:
        return "measuring its rate"
    about = duration(standing.seconds_left) if standing.seconds_left >= 0 else "unknown time"
    if not standing.learning:
        return f"{standing.rate:.1f} agent steps/s (random actions, before learning), about {about} in all (estimate)"
    return f"{standing.rate:.1f} agent steps/s, {about} left"


def duration(seconds: float) -> str:
    """A length of time for people: 41 s, 3.2 min, 5.0 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
