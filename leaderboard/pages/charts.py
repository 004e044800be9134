"""The charts of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leaderboard.pages.chart import Chart, Paint, Range, clipped, room
from leaderboard.pages.curves import Band, Panel
from leaderboard.pages.mpl import Axes, EngFormatter
from leaderboard.pages.numbers import number, with_half
from leaderboard.statistics.scores import Scored, counting
from leaderboard.statistics.stats import FEW, Mean, mean_interval, profile

BANDED = 4
"""Most regimes whose intervals are drawn along their curves, if they have FEW seeds or more. Those
of more regimes would hide each other, those of fewer seeds everything: these are drawn at the end.
"""
POINTED = 25
"""Most evaluations of a curve that a reader can point at."""
WIDE = (5.4, 2.9)
"""Inches of a chart that holds all regimes."""
NARROW = (4.2, 2.5)
"""Inches of a chart that stands beside others like it."""


@dataclass(frozen=True)
class Place:
    """A regime of the chart on top of a report."""

    regime: str
    mean: Mean
    """Over tasks, with its interval."""
    seeds: Sequence[Scored]
    """Of the only task; none where there are several."""
    tasks: Mapping[str, float]
    """Name -> mean over the seeds; none where there is one."""


def standing(places: Sequence[Place], order: list[str], bounds: Range) -> Chart:
    """Regimes from the best down: means over tasks, their 95 percent intervals, and the seeds or
    tasks that they are means of."""

    def draw(axes: Axes, paint: Paint) -> None:
        shown = list[float]()
        for row, place in enumerate(reversed(places)):
            shown += _seeds(axes, paint, place.seeds, row)
            shown += _tasks(axes, paint, place, row)
            shown += _mean(axes, paint, place.regime, place.mean, row - 0.24, bounds)
        _rows(axes, [place.regime for place in places], room(shown, bounds))

    return Chart("standing", draw, order, (WIDE[0], 0.75 + 0.4 * len(places)))


def scores(runs: Sequence[Scored], order: list[str], ident: str, bounds: Range) -> Chart:
    """Final scores of one task: its seeds, mean and 95 percent t interval for each regime."""

    def draw(axes: Axes, paint: Paint) -> None:
        for row, regime in enumerate(reversed(order)):
            seeds = [run for run in runs if run.regime == regime]
            if _seeds(axes, paint, seeds, row):
                _mean(axes, paint, regime, mean_interval(counting(seeds)), row - 0.24, bounds)
        _rows(axes, order, room(counting(runs), bounds))

    return Chart(ident, draw, order, (WIDE[0], 0.75 + 0.36 * len(order)))


def _rows(axes: Axes, names: list[str], limits: Range) -> None:
    """One row for each name, the first on top."""
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("score (mean return of the final policy)")
    axes.set_xlim(*limits)


def _seeds(axes: Axes, paint: Paint, runs: Sequence[Scored], row: int) -> list[float]:
    """One regime's seeds, a cross for one that counts as the floor; what was drawn."""
    for marker, edge, lost in (("o", 0.0, False), ("x", 1.5, True)):
        marked = [run for run in runs if run.lost == lost and run.counted is not None]
        if marked:
            # Faint, so that seeds with the same score show as a darker one.
            at = counting(marked), [row] * len(marked)
            colour = paint.hue(marked[0].regime)
            dots = axes.plot(*at, marker, color=colour, ms=5, alpha=0.55, mew=edge)
            told = [
                f"{run.regime}, seed {run.seed}: {number(run.counted or 0.0)}" for run in marked
            ]
            paint.hint(dots[0], told)
    return counting(runs)


def _tasks(axes: Axes, paint: Paint, place: Place, row: int) -> list[float]:
    """A dot for each of a regime's tasks; what was drawn."""
    means = list(place.tasks.values())
    if means:
        colour = paint.hue(place.regime)
        dots = axes.plot(means, [row] * len(means), "o", color=colour, ms=5, alpha=0.55, mew=0.0)
        told = [f"{place.regime}, {task}: {number(mean)}" for task, mean in place.tasks.items()]
        paint.hint(dots[0], told)
    return means


def _mean(
    axes: Axes, paint: Paint, regime: str, mean: Mean, row: float, bounds: Range
) -> list[float]:
    """A mean and its interval as far as the task's range goes; the values that were drawn."""
    colour = paint.hue(regime)
    mark = axes.plot([mean.mean], [row], "D", color=colour, ms=5)
    paint.hint(mark[0], [f"{regime}: {with_half(mean.mean, mean.half_width)}"])
    if mean.n < 2 or mean.half_width != mean.half_width:
        return [mean.mean]
    ends = clipped(mean.mean - mean.half_width, mean.mean + mean.half_width, bounds)
    axes.plot(ends, [row, row], color=colour, lw=2)
    return [mean.mean, *ends]


def lines(panel: Panel, order: list[str], ident: str) -> Chart:
    """Means of every regime over environment steps, with their intervals."""
    along = banded(panel)

    def draw(axes: Axes, paint: Paint) -> None:
        for band in panel.bands:
            _band(axes, paint, band, panel, along)
            _points(axes, paint, band)
        if not along:
            _ends(axes, paint, panel)
        _axes(axes, panel)

    return Chart(ident, draw, order, WIDE, legend="files")


def banded(panel: Panel) -> bool:
    """Whether intervals are drawn along the curves of all regimes."""
    seeds = Counter(curve.regime for curve in panel.curves)
    return len(panel.bands) <= BANDED and min(seeds.values()) >= FEW


def overview(panel: Panel, order: list[str], ident: str) -> Chart:
    """Means of every regime alone, small."""

    def draw(axes: Axes, paint: Paint) -> None:
        for band in panel.bands:
            _band(axes, paint, band, panel, along=False)
        _axes(axes, panel)

    return Chart(ident, draw, order, NARROW, legend="files")


def single(panel: Panel, order: list[str], ident: str, regime: str) -> Chart:
    """One regime's seeds, mean and interval, small."""

    def draw(axes: Axes, paint: Paint) -> None:
        # Single seeds lie below the mean, thin and faint.
        for curve in panel.curves:
            if curve.regime == regime:
                colour = paint.hue(regime)
                line = axes.plot(curve.steps, curve.values, color=colour, lw=0.7, alpha=0.55)
                told = f"seed {curve.seed}: {number(curve.values[-1])} at the end"
                paint.hint(line[0], [told])
        for band in panel.bands:
            if band.regime == regime:
                _band(axes, paint, band, panel, along=True)
        _axes(axes, panel)

    return Chart(ident, draw, order, NARROW)


def _axes(axes: Axes, panel: Panel) -> None:
    axes.set_xlabel("environment steps")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_ylabel(panel.unit)
    axes.set_ylim(*panel.limits)


def _band(axes: Axes, paint: Paint, band: Band, panel: Panel, along: bool) -> None:
    """A regime's mean, and with `along` its interval wherever there is one."""
    colour = paint.hue(band.regime)
    inside = [
        (step, *clipped(*interval, panel.limits))
        for step, interval in zip(band.steps, band.intervals, strict=True)
        if interval
    ]

    # The interval first, so that the mean lies on top of it.
    if inside and along:
        steps, lows, highs = zip(*inside, strict=True)
        axes.fill_between(steps, lows, highs, color=colour, alpha=0.13, lw=0)

    # A line of one point would not be seen.
    dash = paint.dash(band.regime)
    mark = "o" if len(band.steps) == 1 else ""
    line = axes.plot(
        band.steps, band.means, color=colour, lw=1.9, ls=dash, marker=mark, label=band.regime
    )
    if not mark:
        paint.hint(line[0], [f"{band.regime}: {_told(band, -1)} at the end"])


def _points(axes: Axes, paint: Paint, band: Band) -> None:
    """Marks along a regime's mean that a reader can point at, as many as fit beside each other."""
    every = -(-len(band.steps) // POINTED)
    chosen = range((len(band.steps) - 1) % every, len(band.steps), every)
    at = [band.steps[index] for index in chosen], [band.means[index] for index in chosen]
    marks = axes.plot(*at, "o", color=paint.hue(band.regime), ms=3)
    told = [f"{band.regime} at {band.steps[index]:,}: {_told(band, index)}" for index in chosen]
    paint.hint(marks[0], told)


def _told(band: Band, index: int) -> str:
    return with_half(band.means[index], band.halves[index])


def _ends(axes: Axes, paint: Paint, panel: Panel) -> None:
    """The last intervals of all regimes, beside each other behind the curves."""
    last = max(band.steps[-1] for band in panel.bands)
    first = min(band.steps[0] for band in panel.bands)
    apart = 0.025 * (last - first or 1)
    for place, band in enumerate(panel.bands, 1):
        at = last + place * apart
        colour = paint.hue(band.regime)
        if interval := band.intervals[-1]:
            axes.plot([at, at], clipped(*interval, panel.limits), color=colour, lw=1.6)
        axes.plot([at], band.means[-1:], "D", color=colour, ms=3.5)
    axes.set_xlim(first - apart, last + (len(panel.bands) + 1) * apart)


def profiles(cells: Mapping[str, Sequence[Sequence[float]]], order: list[str], ident: str) -> Chart:
    """Performance profile of each regime: share of runs above a threshold. `cells`: regime -> for
    each task what its seeds have reached of the task's range, 0 to 1."""
    thresholds = [step / 200 for step in range(201)]

    def draw(axes: Axes, paint: Paint) -> None:
        for regime, tasks in cells.items():
            axes.step(
                thresholds,
                profile(tasks, thresholds),
                color=paint.hue(regime),
                lw=1.7,
                ls=paint.dash(regime),
                where="post",
                label=regime,
            )
        axes.set_xlabel("score, as a share of the task's range")
        axes.set_ylabel("share of runs above it")
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(0.0, 1.0)

    return Chart(ident, draw, order, WIDE, legend="files")
