"""Makes learning and diagnostics curves of runs from their records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from leaderboard.formats.records import EvaluationRecord, LearningCurve
from leaderboard.statistics.stats import Mean, mean_interval

DIAGNOSTICS = {
    "srank_4096": ("rank of the features", "rank", None),
    "dormant_ratio": ("share of dormant units", "share", 0.25),
    "parameter_norm": ("norm of the parameters", "norm", None),
    "gradient_conflicts": ("share of opposed gradients", "share", 0.5),
}
"""Diagnostics that are drawn: title, unit, and the value that their axis, from zero, reaches at
least; None: it fits the data."""
LARGEST = 1e12
"""Figures and steps above it are left out: a forger can sign any number."""

Figure = Callable[[EvaluationRecord], float | None]
"""The number of an evaluation that is drawn; None: none."""


@dataclass(frozen=True)
class Curve:
    """Figures of one run over its environment steps."""

    regime: str
    seed: int
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Band:
    """The mean over the seeds that have a figure at each step, with its 95 percent t interval."""

    regime: str
    steps: list[int]
    means: list[float]
    intervals: list[tuple[float, float] | None]
    """None below two seeds."""

    @property
    def halves(self) -> list[float | None]:
        """Half of each interval."""
        pairs = zip(self.means, self.intervals, strict=True)
        return [interval and interval[1] - mean for mean, interval in pairs]


@dataclass(frozen=True)
class Panel:
    """One quantity of one task: curves of all runs and a band for each regime."""

    title: str
    unit: str
    """Of the values, as the axis says."""
    curves: list[Curve]
    bands: list[Band]
    reach: float | None = None
    """The axis begins at zero and reaches up to this at least; None: it fits the data."""
    bounds: tuple[float, float] | None = None
    """What the values can be at all; None: any number."""

    @property
    def limits(self) -> tuple[float, float]:
        """Room for every seed; intervals of few seeds may reach out of it."""
        values = list[float]()
        for curve in self.curves:
            values += curve.values
        low = min(values)
        high = max(values)

        # A share is easier to read on an axis that begins at zero.
        if self.reach is not None:
            low = 0.0
            high = max(self.reach, high)
        room = 0.05 * (high - low) or 1.0
        if self.bounds is None:
            return low - room, high + room
        edge = 0.02 * (self.bounds[1] - self.bounds[0])
        return max(low - room, self.bounds[0] - edge), min(high + room, self.bounds[1] + edge)


def returns_panel(
    runs: Iterable[LearningCurve], bounds: tuple[float, float] | None = None
) -> Panel:
    """Mean return of each scheduled evaluation, for the runs of one task. `bounds`: lowest and
    highest return that the task has."""
    panel = Panel("mean return", "return (mean of an evaluation)", [], [], bounds=bounds)
    return _filled(panel, runs, lambda evaluation: evaluation.mean_return)


def diagnostics_panels(runs: Iterable[LearningCurve], modules: Iterable[str]) -> list[Panel]:
    """A panel for each diagnostic and module of the runs of one task, where any run has it."""
    panels = list[Panel]()
    for name, (title, unit, reach) in DIAGNOSTICS.items():
        for module in modules:
            panel = Panel(f"{module}: {title}", unit, [], [], reach)
            panel = _filled(panel, runs, _diagnostic(module, name))
            if panel.curves:
                panels.append(panel)
    return panels


def _diagnostic(module: str, name: str) -> Figure:
    """Reads a diagnostic of a module. Before the warm-up is over an evaluation has none."""
    return lambda evaluation: evaluation.diagnostics.get(module, {}).get(name)


def _filled(panel: Panel, runs: Iterable[LearningCurve], figure: Figure) -> Panel:
    """With the curves and bands of one figure, of the runs and regimes that have it."""
    curves = [_curve(run, figure) for run in runs]
    drawn = [curve for curve in curves if curve.steps]
    regimes = dict.fromkeys(curve.regime for curve in drawn)
    return replace(panel, curves=drawn, bands=[_band(regime, drawn) for regime in regimes])


def _curve(recorded: LearningCurve, figure: Figure) -> Curve:
    curve = Curve(recorded.run.regime, recorded.run.seed)
    for evaluation in recorded.evaluations:
        step = evaluation.environment_step
        value = figure(evaluation)

        # Matplotlib fails on numbers that no honest run has.
        if value is not None and 0 <= step <= LARGEST and abs(value) <= LARGEST:
            curve.steps.append(step)
            curve.values.append(value)
    return curve


def _band(regime: str, curves: Sequence[Curve]) -> Band:
    """The mean of a regime's curves at every step that one of them has."""
    # Runs that stopped early have fewer steps: the mean at a step is over the seeds that got there.
    values_at: dict[int, list[float]] = {}
    for curve in curves:
        if curve.regime == regime:
            for step, value in zip(curve.steps, curve.values, strict=True):
                values_at.setdefault(step, []).append(value)

    steps = sorted(values_at)
    means = [mean_interval(values_at[step]) for step in steps]
    return Band(regime, steps, [mean.mean for mean in means], [_interval(mean) for mean in means])


def _interval(mean: Mean) -> tuple[float, float] | None:
    if math.isnan(mean.half_width):
        return None
    return mean.mean - mean.half_width, mean.mean + mean.half_width
