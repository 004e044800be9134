"""Progress of cohorts: each writes a small file, whoever watches reads them.

Bars on a terminal, a line a minute elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from harness.config import build
from harness.files import read_json, write_json
from harness.folder import Folder
from harness.planning.cohorts import Cohort
from harness.training.returns import Returns
from harness.words import count, duration, one_line

SCHEMA = "urn:mst-bench:progress:v1"
WRITE_EVERY = 1.0
"""Seconds between two writings of the file."""
LINE_EVERY = 60.0
"""Seconds between lines where no terminal is."""
RATE_AFTER = 10.0
"""Seconds of learning until a rate is told: its first step may do the work of many."""
FIRST_LINE_AFTER = 5.0
"""Seconds until the first line: soon, so that a rate is seen early."""


@dataclass(frozen=True)
class Progress:
    """progress.json: how far a cohort is."""

    schema: str
    step: int
    """Agent steps done."""
    total: int
    """Agent steps of the budget."""
    rate: float
    """Agent steps a second since the cohort began to act, or to learn.

    Of the whole cohort: each step moves all its members."""
    learning: bool
    """False while the cohort acts at random: its rate then says nothing about what follows."""
    seconds_left: float
    """At this rate, and an estimate for the final evaluation; while not learning, an estimate from
    counted arithmetic. -1: not known yet."""
    failure_signatures: tuple[str, ...] = ()
    """Failure signatures that its runs showed, in words."""


def read_progress(folder: Path, index: int) -> Progress | None:
    """The progress that a cohort last wrote, if it has written any."""
    path = Folder(folder).cohort(index).progress
    if not path.exists():
        return None
    return build(Progress, read_json(path), path.name)


class Writer:
    """Writes a cohort's progress, at most once a second."""

    def __init__(
        self,
        path: Path,
        total: int,
        warmup: int,
        expected_seconds: float,
        final_seconds: float = 0.0,
    ) -> None:
        """`warmup` agent steps are random and cheap; `expected_seconds` estimates all that there is
        to do, `final_seconds` the evaluation of the final policies, which is a part of it."""
        self.path = path
        self.total = total
        self.warmup = warmup
        self.expected = expected_seconds
        self.final = final_seconds
        self._written = 0.0
        self._called = time.monotonic()
        self._since: tuple[int, float, bool] | None = None
        """Step, time and whether it learned, from which the rate is counted."""

    def __call__(self, step: int, failure_signatures: Sequence[str] = ()) -> None:
        before = self._called
        now = time.monotonic()
        self._called = now

        # Acting and learning have rates of their own. Counted from before the step that first
        # learns, because MR.Q trains its encoder for a cycle in it.
        learning = step > self.warmup
        if self._since is None or step <= self._since[0]:
            self._since = (step, now, learning)
        elif self._since[2] != learning:
            self._since = (step - 1, before, learning)
        if now - self._written < WRITE_EVERY and step < self.total:
            return

        steps = step - self._since[0]
        seconds = now - self._since[1]
        known = seconds > (RATE_AFTER if learning else 0.0)
        rate = steps / seconds if known else 0.0
        left = self._seconds_left(step, rate, learning)
        progress = Progress(
            SCHEMA, step, self.total, rate, learning, left, tuple(failure_signatures)
        )
        write_json(self.path, asdict(progress))
        self._written = now

    def _seconds_left(self, step: int, rate: float, learning: bool) -> float:
        if step == self.total:
            return self.final
        if not learning:
            return self.expected
        return (self.total - step) / rate + self.final if rate > 0 else -1.0


class Display:
    """Shows the progress of cohorts on stderr until closed."""

    def __init__(self, folder: Path, cohorts: list[Cohort]) -> None:
        self.folder = folder
        self.cohorts = {cohort.index: cohort for cohort in cohorts}
        self.console = Console(stderr=True)
        self.bars: Bars | None = None
        self._tasks: dict[int, TaskID] = {}
        self._returns = {cohort.index: Returns(folder, cohort) for cohort in cohorts}
        self._seen: dict[int, Progress] = {}
        """What each cohort said last: records are looked at when that changes, once a second."""
        self._shown_signatures: set[str] = set()
        self._last_line = time.monotonic() - LINE_EVERY + FIRST_LINE_AFTER

        if self.console.is_terminal:
            self.bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[rate]}"),
                console=self.console,
            )
            self.bars.start()

    def refresh(self, running: list[int]) -> None:
        """Read the progress of the running cohorts again, and show what is new."""
        by_index: dict[int, Progress] = {}
        for index in running:
            if progress := read_progress(self.folder, index):
                by_index[index] = progress
                if progress != self._seen.get(index):
                    self._seen[index] = progress
                    self.show_returns(index)
                self._show_signatures(progress.failure_signatures)

        if self.bars is not None:
            for index, progress in by_index.items():
                self._draw_bar(self.bars, index, progress)
        elif time.monotonic() - self._last_line >= LINE_EVERY and by_index:
            self._last_line = time.monotonic()
            for index in by_index:
                text = line(self.folder, self.cohorts[index], running=True)
                self.say(text)

    def say(self, text: str) -> None:
        """A line above the bars; a terminal obeys nothing that stands in it."""
        self.console.print(one_line(text), soft_wrap=True, highlight=False, markup=False)

    def step(self, index: int) -> int:
        """Agent steps that a cohort had done when it last said so."""
        progress = read_progress(self.folder, index)
        return progress.step if progress else 0

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bars is not None:
            self.bars.stop()

    def show_returns(self, index: int) -> None:
        """Of every evaluation of a cohort that ended since."""
        for text in self._returns[index].new_lines():
            self.say(f"{_name(self.cohorts[index])}: {text}")

    def _show_signatures(self, failure_signatures: tuple[str, ...]) -> None:
        """Each once."""
        for signature in failure_signatures:
            if signature not in self._shown_signatures:
                self._shown_signatures.add(signature)
                self.say(f"failure signature: {signature}")

    def _draw_bar(self, bars: Bars, index: int, progress: Progress) -> None:
        if index not in self._tasks:
            name = _name(self.cohorts[index])
            self._tasks[index] = bars.add_task(name, total=progress.total, rate="")
        bars.update(self._tasks[index], completed=progress.step, rate=_rate(progress))


def line(folder: Path, cohort: Cohort, running: bool) -> str:
    """How far a cohort is, in one line."""
    progress = read_progress(folder, cohort.index)
    if progress is None:
        return f"{_name(cohort)}: not begun"

    parts = [f"{_name(cohort)}: {progress.step:,}/{progress.total:,} agent steps"]
    if progress.failure_signatures:
        parts.append(count(len(progress.failure_signatures), "failure signature"))
    parts.append(_rate(progress) if running else "not running")
    return ", ".join(parts)


def _name(cohort: Cohort) -> str:
    return f"cohort {cohort.index} ({cohort.task}, {count(len(cohort.runs), 'run')})"


def _rate(progress: Progress) -> str:
    if progress.step == progress.total:
        said = "evaluating the final policies"
        if progress.seconds_left < 1.0:
            return said
        return f"{said}, about {duration(progress.seconds_left)} (estimate)"
    if progress.rate == 0.0:
        return "measuring its rate"
    left = "unknown time"
    if progress.seconds_left >= 0:
        left = duration(progress.seconds_left)

    rate = f"{progress.rate:.1f} agent steps/s"
    if progress.learning:
        return f"{rate}, {left} left"
    return f"{rate} (random actions, before learning), about {left} in all (estimate)"
