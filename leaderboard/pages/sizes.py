"""Scores by the size of the network: whether a way to train gains as the network grows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from leaderboard.formats.plan import Own, Plan
from leaderboard.pages.answer import Standing, bounds_of
from leaderboard.pages.chart import Chart, Paint, Range, clipped, room
from leaderboard.pages.charts import WIDE
from leaderboard.pages.drawings import Drawing, FigureTable
from leaderboard.pages.mpl import Axes, EngFormatter
from leaderboard.pages.numbers import with_half
from leaderboard.statistics.stats import Mean

FEWEST = 2
"""Sizes of a line, and lines of a chart, below which there is nothing to compare."""
APART = 1.03
"""Factor between the intervals of two lines at one size."""
TICKS_APART = 1.3
"""Factor between the sizes that an axis marks."""
SIZE = re.compile("width|depth|.*_dim")
"""Settings of a network's size."""
CAPTION = (
    "Mean score and its 95% interval by the parameters of the network before pruning. A line is one"
    " way to train"
)


@dataclass(frozen=True)
class Point:
    """A regime of one size."""

    regime: str
    parameters: float
    """Before pruning, mean over tasks."""
    active: float
    """That masks leave."""
    mean: Mean
    """Of its scores, over tasks."""

    @property
    def told(self) -> str:
        """What a reader sees who points at it."""
        return f"{self.regime}, {self.parameters:,.0f} parameters: {self.mean_text}"

    @property
    def cells(self) -> list[str]:
        """Its row of the table."""
        return [self.regime, f"{self.parameters:,.0f}", f"{self.active:,.0f}", self.mean_text]

    @property
    def mean_text(self) -> str:
        return with_half(self.mean.mean, self.mean.half_width)


@dataclass(frozen=True)
class Line:
    """Regimes that differ in their size alone."""

    name: str
    """What their names have in common."""
    points: list[Point]
    """From the smallest up."""


def by_size(plan: Plan, standings: Sequence[Standing]) -> Drawing | None:
    """Scores by size; None where no two ways to train have several sizes each."""
    drawn = lines(plan, standings)
    if len(drawn) < FEWEST:
        return None
    headers = ["line", "regime", "parameters", "left by masks", "score"]
    rows = [[line.name, *point.cells] for line in drawn for point in line.points]
    return Drawing(_chart(drawn, bounds_of(plan.tasks)), CAPTION, FigureTable(headers, rows))


def lines(plan: Plan, standings: Sequence[Standing]) -> list[Line]:
    """The ways to train that have several sizes, in the order of the plan's runs."""
    means = {standing.regime: standing.mean for standing in standings}
    alike = dict[str, list[str]]()
    for regime in dict.fromkeys(run.regime for run in plan.runs):
        if regime in means:
            alike.setdefault(_way(plan, regime), []).append(regime)

    several = list[Line]()
    for regimes in alike.values():
        points = [_point(plan, regime, means[regime]) for regime in regimes]
        points.sort(key=lambda point: point.parameters)
        if len({point.parameters for point in points}) >= FEWEST:
            several.append(Line(_common(regimes) or points[0].regime, points))

    # Two lines of one name would be one for whoever reads; no regime is on two lines.
    if len({line.name for line in several}) < len(several):
        return [Line(line.points[0].regime, line.points) for line in several]
    return several


def _common(names: Sequence[str]) -> str:
    """How all of these names begin, up to a hyphen or an underscore."""
    first, last = min(names), max(names)
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    start = "".join(letter for letter, _ in alike)
    return start if start in names else re.sub("[^-_]*$", "", start).rstrip("-_")


def _way(plan: Plan, regime: str) -> str:
    """What regimes of one line have in common: how modules are trained, blocks, and all settings of
    their own but those of their size."""
    groups = [group for group in _groups(plan, regime) if group in plan.own]
    own = plan.own[groups[0]] if groups else Own({}, {})
    settings = {key: value for key, value in own.settings.items() if not SIZE.fullmatch(key)}
    parts = (plan.regimes[regime], {**plan.blocks, **own.blocks}, settings)
    return repr([sorted(part.items()) for part in parts])


def _groups(plan: Plan, regime: str) -> list[str]:
    """Its `task/regime`, of every task."""
    return [f"{task}/{regime}" for task in plan.tasks]


def _point(plan: Plan, regime: str, mean: Mean) -> Point:
    sizes = [plan.sizes[group] for group in _groups(plan, regime)]
    parameters = sum(size.parameters for size in sizes) / len(sizes)
    return Point(regime, parameters, sum(size.active for size in sizes) / len(sizes), mean)


def _chart(drawn: Sequence[Line], bounds: Range) -> Chart:
    def draw(axes: Axes, paint: Paint) -> None:
        shown = list[float]()
        for number, line in enumerate(drawn):
            apart = APART ** (number - (len(drawn) - 1) / 2)
            shown += _draw_line(axes, paint, line, apart, bounds)
        axes.set_xscale("log")
        axes.set_xticks(_apart([point.parameters for line in drawn for point in line.points]))
        axes.xaxis.set_major_formatter(EngFormatter(sep="", places=0))
        axes.minorticks_off()
        axes.set_xlabel("parameters")
        axes.set_ylabel("score")
        axes.set_ylim(*room(shown, bounds))

    return Chart("sizes", draw, [line.name for line in drawn], WIDE, legend="always")


def _apart(sizes: Sequence[float]) -> list[float]:
    """Sizes whose marks do not hide each other."""
    chosen = list[float]()
    for size in sorted(sizes):
        if not chosen or size > TICKS_APART * chosen[-1]:
            chosen.append(size)
    return chosen


def _draw_line(axes: Axes, paint: Paint, line: Line, apart: float, bounds: Range) -> list[float]:
    """Draws a line with its intervals; returns the scores that it reaches. `apart`: what sizes are
    multiplied by, so that intervals of several lines lie beside each other."""
    colour = paint.hue(line.name)
    at = [apart * point.parameters for point in line.points]
    means = [point.mean.mean for point in line.points]
    axes.plot(at, means, color=colour, lw=1.7, ls=paint.dash(line.name), label=line.name)
    marks = axes.plot(at, means, "o", color=colour, ms=4)
    paint.hint(marks[0], [point.told for point in line.points])

    shown = list(means)
    for x, point in zip(at, line.points, strict=True):
        mean, half = point.mean.mean, point.mean.half_width
        if not math.isnan(half):
            ends = clipped(mean - half, mean + half, bounds)
            axes.plot([x, x], ends, color=colour, lw=1.4)
            shown += ends
    return shown
