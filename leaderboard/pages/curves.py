"""Learning and diagnostics curves of the runs of a plan folder, read from their records."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from leaderboard.formats.records import Recorded
from leaderboard.formats.statement import MODULES
from leaderboard.statistics.stats import mean_interval

DIAGNOSTICS = {
    "srank": ("srank of the features", 1.0),
    "dormant_ratio": ("share of dormant units", 0.25),
    "parameter_norm": ("norm of the parameters", 1.0),
    "gradient_conflicts": ("share of opposed gradients", 0.5),
}
"""Diagnostics that are drawn: title, and the least that their axis reaches up to from zero."""
LARGEST = 1e12
"""Figures and steps beyond it are none."""


@dataclass(frozen=True)
class Curve:
    """Figures of one run over its environment steps."""

    regime: str
    seed: int
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Band:
    """The mean over the seeds that have a figure at each step, with its 95 percent t interval (None below two seeds)."""

    regime: str
    steps: list[int]
    means: list[float]
    intervals: list[tuple[float, float] | None]


@dataclass(frozen=True)
class Panel:
    """One quantity of one task: curves of all runs and a band for each regime."""

    title: str
    curves: list[Curve]
    bands: list[Band]
    reach: float | None = None
    """The axis begins at zero and reaches up to this at least; None: it fits the data."""

    @property
    def limits(self) -> tuple[float, float]:
        """Room for every seed; intervals of few seeds may reach out of it."""
        values = [value for curve in self.curves for value in curve.values]
        low, high = (
            (0.0, max(self.reach, *values))
            if self.reach is not None
            else (min(values), max(values))
        )
        room = 0.05 * (high - low) or 1.0
        return low - room, high + room


def returns_panel(runs: list[Recorded]) -> Panel:
    """Mean return of each scheduled evaluation, for the runs of one task."""
    return _panel(
        "mean return",
        None,
        runs,
        lambda record: math.fsum(record["returns"]) / len(record["returns"]),
    )


def diagnostics_panels(runs: list[Recorded]) -> list[Panel]:
    """A panel for each module and diagnostic of the runs of one task."""
    panels = []
    for name, (title, reach) in DIAGNOSTICS.items():
        for module in MODULES:

            def figure(record: dict[str, Any], module: str = module, name: str = name) -> float:
                return float(record["diagnostics"][module][name])

            panels.append(_panel(f"{module}: {title}", reach, runs, figure))
    return [panel for panel in panels if panel.curves]


def _panel(
    title: str, reach: float | None, runs: list[Recorded], figure: Callable[[dict[str, Any]], float]
) -> Panel:
    curves = [_curve(run, figure) for run in runs]
    drawn = [curve for curve in curves if curve.steps]
    return Panel(
        title,
        drawn,
        [_band(regime, drawn) for regime in dict.fromkeys(curve.regime for curve in drawn)],
        reach,
    )


def _curve(run: Recorded, figure: Callable[[dict[str, Any]], float]) -> Curve:
    curve = Curve(run.regime, run.seed)
    for record in run.evaluations:
        try:
            step, value = record["environment_step"], float(figure(record))
        except (KeyError, TypeError, ValueError, ArithmeticError):
            continue  # nothing is diagnosed before the warm-up is over; and a forger shapes a signed record at will
        if type(step) is int and 0 <= step <= LARGEST and abs(value) <= LARGEST:
            curve.steps.append(step)
            curve.values.append(value)
    return curve


def _band(regime: str, curves: list[Curve]) -> Band:
    at: dict[int, list[float]] = {}
    for curve in curves:
        if curve.regime == regime:
            for step, value in zip(curve.steps, curve.values, strict=True):
                at.setdefault(step, []).append(value)
    found = [mean_interval(at[step]) for step in sorted(at)]
    intervals = [
        None if math.isnan(m.half_width) else (m.mean - m.half_width, m.mean + m.half_width)
        for m in found
    ]
    return Band(regime, sorted(at), [m.mean for m in found], intervals)
