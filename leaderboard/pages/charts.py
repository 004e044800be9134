"""Charts as SVG text whose colours are the page's, so that one drawing serves light and dark.

Matplotlib draws in stand-in colours, which become CSS variables. Its inline styles become
attributes, so that a page may forbid inline styles. Every id gets a prefix, since a page holds many
charts. The same numbers give the same bytes.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from leaderboard.pages.curves import Band, Panel
from leaderboard.pages.mpl import Axes, EngFormatter, Figure, MaxNLocator, style
from leaderboard.statistics.scores import Scored, counting
from leaderboard.statistics.stats import mean_interval, profile

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

BANDED = 5
"""Minimum seeds for confidence bands with several regimes in one chart."""
HUES = 8
"""Colours that the page has; further regimes repeat them with another dash."""
Dash = str | tuple[int, tuple[float, ...]]
"""A line style of matplotlib: its name, or an offset and lengths on and off."""
DASHES: tuple[Dash, ...] = ("solid", (0, (5, 2)), (0, (1, 1.5)))
INK = "#f1e2a0"
"""Stand-in for the colour of text."""
FAINT = "#f1e2a1"
"""Stand-in for the colour of axes and grids."""
VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)"} | {
    f"#f1e2d{hue}": f"var(--hue{hue})" for hue in range(HUES)
}
"""Stand-in colour -> CSS variable of the page."""
STYLE: dict[RcKeyType, object] = {
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
    """Means of every regime over environment steps, or with `only` one regime's single seeds, mean
    and interval."""
    seeds = Counter(curve.regime for curve in panel.curves)
    banded = only is not None or min(seeds.values()) >= BANDED

    def draw(axes: Axes) -> None:
        # Single seeds lie below the mean, thin and faint.
        for curve in panel.curves:
            if curve.regime == only:
                colour = _hue(order, curve.regime)
                axes.plot(curve.steps, curve.values, color=colour, linewidth=0.7, alpha=0.55)
        for band in panel.bands:
            if only in (None, band.regime):
                _draw_band(axes, band, order, banded)

        axes.set_xlabel("environment steps")
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_ylim(*panel.limits)

    return _svg(draw, ident, (4.2, 2.5))


def _draw_band(axes: Axes, band: Band, order: list[str], banded: bool) -> None:
    """A regime's mean, and with `banded` its interval wherever there is one."""
    colour = _hue(order, band.regime)

    # The interval first, so that the mean lies on top of it.
    inside = [
        (step, *interval)
        for step, interval in zip(band.steps, band.intervals, strict=True)
        if interval
    ]
    if inside and banded:
        steps, lows, highs = zip(*inside, strict=True)
        axes.fill_between(steps, lows, highs, color=colour, alpha=0.16, linewidth=0)

    # A line of one point would not be seen.
    axes.plot(
        band.steps,
        band.means,
        color=colour,
        linewidth=1.9,
        linestyle=_dash(order, band.regime),
        marker="o" if len(band.steps) == 1 else "",
    )


def scores(runs: Sequence[Scored], order: list[str], ident: str) -> str:
    """Final scores of one task: a dot for each seed, a cross for one that counts as the floor, mean
    and 95 percent t interval for each regime."""

    def draw(axes: Axes) -> None:
        for row, regime in enumerate(reversed(order)):
            seeds = [run for run in runs if run.regime == regime]
            if counting(seeds):
                _draw_scores(axes, seeds, row, _hue(order, regime))

        # One row a regime, the first on top, and room on both sides.
        axes.set_yticks(range(len(order)), list(reversed(order)))
        axes.set_ylim(-0.6, len(order) - 0.4)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("score")
        axes.set_xlim(*_room(counting(runs)))

    return _svg(draw, ident, (4.2, 0.9 + 0.42 * len(order)))


def _draw_scores(axes: Axes, runs: Sequence[Scored], row: int, colour: str) -> None:
    """One regime's row: its seeds, and a little below them their mean and interval."""
    # Faint, so that seeds with the same score show as a darker one.
    for marker, points in (
        ("o", counting(run for run in runs if not run.lost)),
        ("x", counting(run for run in runs if run.lost)),
    ):
        edge = 0 if marker == "o" else 1.5
        rows = [row] * len(points)
        axes.plot(
            points, rows, marker, color=colour, markersize=5, alpha=0.55, markeredgewidth=edge
        )

    # One seed has no interval.
    mean = mean_interval(counting(runs))
    below = row - 0.22
    axes.plot([mean.mean], [below], "D", color=colour, markersize=5)
    if mean.n > 1:
        ends = [mean.mean - mean.half_width, mean.mean + mean.half_width]
        axes.plot(ends, [below, below], color=colour)


def profiles(cells: Mapping[str, Sequence[Sequence[float]]], order: list[str], ident: str) -> str:
    """Performance profile of each regime: share of runs above a threshold. `cells`: regime ->
    scores of the seeds of each task."""
    points = list[float]()
    for tasks in cells.values():
        for seeds in tasks:
            points += seeds

    # From below the lowest to above the highest score of any regime.
    low, high = _room(points)
    thresholds = [low + (high - low) * step / 200 for step in range(201)]

    def draw(axes: Axes) -> None:
        for regime, tasks in cells.items():
            axes.step(
                thresholds,
                profile(tasks, thresholds),
                color=_hue(order, regime),
                linewidth=1.7,
                linestyle=_dash(order, regime),
                where="post",
            )
        axes.set_xlabel("score")
        axes.set_ylim(-0.03, 1.03)

    return _svg(draw, ident, (4.2, 2.5))


def _room(points: Sequence[float]) -> tuple[float, float]:
    """The range of all scores with a quarter more on both sides."""
    if not points:
        return 0.0, 1.0
    room = 0.25 * (max(points) - min(points)) or 1.0
    return min(points) - room, max(points) + room


def _hue(order: list[str], regime: str) -> str:
    return f"#f1e2d{order.index(regime) % HUES}"


def _dash(order: list[str], regime: str) -> Dash:
    return DASHES[order.index(regime) // HUES % len(DASHES)]


def _svg(draw: Callable[[Axes], None], ident: str, size: tuple[float, float]) -> str:
    """What `draw` draws, `size` inches large, as an SVG element whose ids begin with `ident`."""
    # A fixed salt, and no date: the same drawing has the same bytes.
    with style({**STYLE, "svg.hashsalt": ident}):
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

    # Only the element itself is embedded: no XML header, and nothing that a page has twice or
    # forbids. The page's style sheet says how corners are joined.
    svg = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL
    )
    svg = re.sub(r'\bstyle="([^"]*:[^"]*)"', _attributes, svg)
    svg = re.sub(r'\b(?:d|x|y|transform)="[^"]*"', _rounded, svg)
    svg = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{ident}-", svg)
    for stand_in, variable in VARIABLES.items():
        svg = svg.replace(stand_in, variable)

    # The page decides how wide a drawing is; its caption says what it shows.
    opening = r'<svg viewBox="\1" aria-hidden="true">'
    return re.sub(r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>', opening, svg)


def _attributes(style: re.Match[str]) -> str:
    """An inline style as attributes of its element. The page has a font of its own."""
    pairs = [pair.split(":", 1) for pair in style[1].split(";") if "font-family" not in pair]
    return " ".join(f'{name.strip()}="{value.strip()}"' for name, value in pairs)


def _rounded(attribute: re.Match[str]) -> str:
    """A place in the drawing, to a hundredth of a pixel."""
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute[0])
