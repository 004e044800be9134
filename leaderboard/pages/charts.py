"""Charts as SVG text that takes its colours from the page, so that one drawing serves light and dark.

Matplotlib draws; colours are stand-ins that become CSS variables, and every id gets a prefix, since a page holds many charts.
The same data give the same bytes.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from leaderboard.pages.curves import Panel
from leaderboard.statistics.stats import mean_interval, profile

BANDED = 5
"""Seeds from which on the intervals of several regimes are readable in one chart."""
HUES = 8
"""Colours the page has; further regimes repeat them with another dash."""
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.5)))
INK, FAINT = "#f1e2a0", "#f1e2a1"
VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)"} | {
    f"#f1e2d{hue}": f"var(--hue{hue})" for hue in range(HUES)
}
"""Stand-in colour -> CSS variable of the page."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names are names, also with dollar signs
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def lines(panel: Panel, order: list[str], ident: str, only: str | None = None) -> str:
    """Means of every regime over environment steps, or with `only` one regime's single seeds, mean and interval."""
    seeds = Counter(curve.regime for curve in panel.curves)
    banded = only is not None or min(seeds.values()) >= BANDED

    def draw(axes: Axes) -> None:
        for curve in panel.curves if only else []:
            if curve.regime == only:
                axes.plot(
                    curve.steps, curve.values, color=_hue(order, only), linewidth=0.7, alpha=0.55
                )
        for band in panel.bands:
            if only not in (None, band.regime):
                continue
            colour = _hue(order, band.regime)
            inside = [
                (step, *pair) for step, pair in zip(band.steps, band.intervals, strict=True) if pair
            ]
            if inside and banded:
                steps, lows, highs = zip(*inside, strict=True)
                axes.fill_between(steps, lows, highs, color=colour, alpha=0.16, linewidth=0)
            marker = "o" if len(band.steps) == 1 else ""
            axes.plot(
                band.steps,
                band.means,
                color=colour,
                linewidth=1.9,
                linestyle=_dash(order, band.regime),
                marker=marker,
            )
        axes.set_xlabel("environment steps")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_ylim(*panel.limits)

    return _svg(draw, ident, (4.2, 2.5))


def scores(runs: list[dict[str, Any]], order: list[str], ident: str) -> str:
    """Final scores of one task: a dot for each seed, mean and 95 percent t interval for each regime."""

    def draw(axes: Axes) -> None:
        for row, regime in enumerate(reversed(order)):
            found = [
                run["score"] for run in runs if run["regime"] == regime and run["score"] is not None
            ]
            if not found:
                continue
            colour, mean = _hue(order, regime), mean_interval(found)
            axes.plot(
                found,
                [row] * len(found),
                "o",
                color=colour,
                markersize=5,
                alpha=0.55,
                markeredgewidth=0,
            )
            axes.plot([mean.mean], [row - 0.22], "D", color=colour, markersize=5)
            if mean.n > 1:
                axes.plot(
                    [mean.mean - mean.half_width, mean.mean + mean.half_width],
                    [row - 0.22] * 2,
                    color=colour,
                )
        axes.set_yticks(range(len(order)), list(reversed(order)))
        axes.set_ylim(-0.6, len(order) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("score")
        axes.set_xlim(*_room([run["score"] for run in runs if run["score"] is not None]))

    return _svg(draw, ident, (4.2, 0.9 + 0.42 * len(order)))


def profiles(cells: dict[str, list[list[float]]], order: list[str], ident: str) -> str:
    """Performance profile of each regime: share of runs above a threshold."""
    found = [score for tasks in cells.values() for scores_ in tasks for score in scores_]
    low, high = _room(found)
    thresholds = [low + (high - low) * step / 200 for step in range(201)]

    def draw(axes: Axes) -> None:
        for regime, tasks in cells.items():
            shares = profile(tasks, thresholds)
            axes.step(
                thresholds,
                shares,
                color=_hue(order, regime),
                linewidth=1.7,
                linestyle=_dash(order, regime),
                where="post",
            )
        axes.set_xlabel("score")
        axes.set_ylim(-0.03, 1.03)

    return _svg(draw, ident, (4.2, 2.5))


def _room(found: list[float]) -> tuple[float, float]:
    """The range of all scores with a quarter more on both sides."""
    if not found:
        return 0.0, 1.0
    room = 0.25 * (max(found) - min(found)) or 1.0
    return min(found) - room, max(found) + room


def _hue(order: list[str], regime: str) -> str:
    return f"#f1e2d{order.index(regime) % HUES}"


def _dash(order: list[str], regime: str) -> Any:
    return DASHES[order.index(regime) // HUES % len(DASHES)]


def _svg(draw: Callable[[Axes], None], ident: str, size: tuple[float, float]) -> str:
    with mpl.rc_context({**STYLE, "svg.hashsalt": ident}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        draw(axes)
        text = io.StringIO()
        figure.savefig(
            text, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    svg = text.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{ident}-", svg)
    for stand_in, variable in VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    return re.sub(
        r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg
    )
