"""What `mst-bench watch` shows: the runs of a plan folder as they learn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.folder import Folder
from harness.planning.cohorts import Cohort, read_cohorts
from harness.planning.plan import Plan, read_plan
from harness.training.following import Following
from harness.training.lease import running
from harness.training.progress import Progress, read_progress
from harness.words import count, duration, one_line
from leaderboard.formats.records import EvaluationRecord, FailureSignatureRecord, FinalRecord

BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
WIDTH = 24
"""Characters of a curve."""
AROUND = 4
"""Lines of a screen that are no run."""


@dataclass
class Watched(Following):
    """A run, and what its evaluations returned so far."""

    returns: dict[int, float] = field(default_factory=dict)
    """Environment step -> mean return."""
    score: float | None = None
    signs: set[str] = field(default_factory=set)
    """Names of its failure signatures."""

    def look(self) -> None:
        """Read what was recorded since."""
        for record in self.new_records():
            if isinstance(record, EvaluationRecord):
                # A run that resumed records again what came after its checkpoint.
                steps = [step for step in self.returns if step >= record.environment_step]
                for step in steps:
                    del self.returns[step]
                self.returns[record.environment_step] = record.mean_return
            elif isinstance(record, FinalRecord):
                self.score = math.fsum(record.returns) / len(record.returns)
            elif isinstance(record, FailureSignatureRecord):
                self.signs.add(record.name)
            else:
                self.signs.add("failed")

    def curve(self, low: float, high: float) -> str:
        """Its returns as bars, on the scale of its task; as many evaluations as fit, the last one
        among them."""
        values = list(self.returns.values())
        every = -(-len(values) // WIDTH)
        shown = values[(len(values) - 1) % every :: every] if values else []
        span = high - low or 1.0
        places = [min(int((value - low) / span * len(BARS)), len(BARS) - 1) for value in shown]
        return "".join(BARS[place] for place in places)


class Screen:
    """What is shown of a plan folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan: Plan = read_plan(Folder(folder).plan)
        self.runs = {
            run.name: Watched(run, Folder(folder).run(run).records) for run in self.plan.runs
        }

    def draw(self, lines: int | None = None) -> Group:
        """The folder now; `lines`: how many a terminal has. Runs under way come first."""
        cohorts = read_cohorts(self.folder)
        known = cohorts.cohorts if cohorts else ()
        now = {cohort.index: read_progress(self.folder, cohort.index) for cohort in known}
        alive = {cohort.index for cohort in known if running(self.folder, cohort)}
        for watched in self.runs.values():
            watched.look()

        # Those that learn come first, then those that were begun: a terminal may not hold all.
        of = {run.name: cohort for cohort in known for run in cohort.runs}
        order = sorted(self.runs.values(), key=lambda watched: _standing(watched, of, alive))
        room = len(order) if lines is None else max(1, lines - AROUND)
        parts: list[Text | Table] = [
            Text(self._head(now, alive)),
            self._table(order[:room], of, now, alive),
        ]
        if len(order) > room:
            parts.append(Text(f"and {count(len(order) - room, 'other run')}"))
        return Group(*parts)

    def _head(self, now: dict[int, Progress | None], alive: set[int]) -> str:
        """Which plan, how many runs have a score, and how long those that learn will take."""
        ended = sum(run.score is not None for run in self.runs.values())
        text = f"plan {self.plan.id}, suite {self.plan.suite.name}: {ended} of"
        text += f" {count(len(self.runs), 'run')} have a score"
        if not alive:
            return f"{text}; nothing runs now"
        left = [found.seconds_left for index in alive if (found := now[index])]
        if not left or min(left) < 0:
            return f"{text}; {count(len(alive), 'cohort')} at work"
        return f"{text}; {count(len(alive), 'cohort')} at work, {duration(max(left))} left of them"

    def _table(
        self,
        runs: list[Watched],
        of: dict[str, Cohort],
        now: dict[int, Progress | None],
        alive: set[int],
    ) -> Table:
        """A row for each of these runs; `of`: name of a run -> its cohort."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for title in ("run", "returns", "last", "step", "steps/s", "left", "signs"):
            right = title in ("last", "step", "steps/s")
            table.add_column(title, justify="right" if right else "left", no_wrap=title != "signs")
        scale = self._scales()
        for watched in runs:
            cohort = of.get(watched.run.name)
            progress = now[cohort.index] if cohort else None
            at_work = cohort is not None and cohort.index in alive
            cells = [watched.run.name, watched.curve(*scale[watched.run.task])]
            cells += _figures(watched, progress, at_work, self.plan.budget.agent_steps)
            table.add_row(*(Text(one_line(cell)) for cell in cells))
        return table

    def _scales(self) -> dict[str, tuple[float, float]]:
        """Task -> the lowest and the highest return of any run so far."""
        found: dict[str, list[float]] = {run.run.task: [] for run in self.runs.values()}
        for watched in self.runs.values():
            found[watched.run.task] += watched.returns.values()
        return {
            task: (min(values), max(values)) if values else (0.0, 1.0)
            for task, values in found.items()
        }


def _standing(watched: Watched, of: dict[str, Cohort], alive: set[int]) -> int:
    """0: learns; 1: was begun; 2: has a score; 3: not begun."""
    if watched.score is not None:
        return 2
    cohort = of.get(watched.run.name)
    if cohort is not None and cohort.index in alive:
        return 0
    return 1 if watched.returns else 3


def _figures(watched: Watched, progress: Progress | None, at_work: bool, total: int) -> list[str]:
    """Last return, agent step, rate, time left, signs."""
    signs = ", ".join(sorted(watched.signs))
    if watched.score is not None:
        return [f"{watched.score:.1f}", f"{total:,}", "", "finished", signs]
    last = f"{list(watched.returns.values())[-1]:.1f}" if watched.returns else ""
    if progress is None:
        return [last, "0", "", "not begun", signs]
    if not at_work:
        return [last, f"{progress.step:,}", "", "stopped", signs]
    left = duration(progress.seconds_left) if progress.seconds_left >= 0 else "unknown"
    if progress.step == progress.total:
        left = "evaluating"
    return [last, f"{progress.step:,}", f"{progress.rate:.1f}", left, signs]
