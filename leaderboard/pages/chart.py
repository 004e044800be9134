"""A chart that is drawn when it is asked for: as part of a page, or as a file for a paper."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leaderboard.pages import svg
from leaderboard.pages.mpl import Axes, Figure, MaxNLocator, style

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

HUES = 8
"""Colours of regimes; further regimes repeat them with another dash."""
Dash = str | tuple[int, tuple[float, ...]]
"""A line style of matplotlib: its name, or an offset and lengths on and off."""
DASHES: tuple[Dash, ...] = ("solid", (0, (5, 2)), (0, (1, 1.5)))


@dataclass(frozen=True)
class Colours:
    """What a chart is painted with."""

    ink: str
    """Text."""
    faint: str
    """Axes and grids."""
    hues: tuple[str, ...]


PAGE = Colours("#f1e2a0", "#f1e2a1", tuple(f"#f1e2d{hue}" for hue in range(HUES)))
"""Stand-ins, which become CSS variables: one drawing serves light and dark."""
VARIABLES = {PAGE.ink: "var(--ink)", PAGE.faint: "var(--faint)"} | {
    colour: f"var(--hue{hue})" for hue, colour in enumerate(PAGE.hues)
}
"""Stand-in -> CSS variable of the page."""
PAPER = Colours(
    "#1c1e21",
    "#d5d8dc",
    ("#0072b2", "#d55e00", "#00835f", "#a8487f", "#8a6d00", "#2b8cbe", "#6a51a3", "#4d4d4d"),
)
"""What a page has where it is light."""
STYLE: dict[RcKeyType, object] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # text stays text
    "text.parse_math": False,  # names are names, also with dollar signs
    "font.family": "sans-serif",
    "font.size": 10,
    "grid.linewidth": 0.5,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
LEGEND_COLUMNS = 4
"""Of a legend above a chart."""
Range = tuple[float, float]
"""Lowest and highest return that a task has."""
FORMATS = ("svg", "pdf", "png")
"""Of files."""


class Paint:
    """Colours and dashes of regimes, and what a reader is told of a mark by pointing at it."""

    def __init__(self, order: list[str], colours: Colours) -> None:
        self.order = order
        self.colours = colours
        self.hints: dict[str, list[str]] = {}
        """Id of a drawn group -> the text of each of its marks."""

    def hue(self, regime: str) -> str:
        return self.colours.hues[self.order.index(regime) % HUES]

    def dash(self, regime: str) -> Dash:
        return DASHES[self.order.index(regime) // HUES % len(DASHES)]

    def hint(self, artist: Any, texts: Iterable[str]) -> None:
        """Tells something of each mark of an artist, or of its only line."""
        ident = f"h{len(self.hints)}"
        artist.set_gid(ident)
        self.hints[ident] = list(texts)


@dataclass(frozen=True)
class Chart:
    """A drawing."""

    ident: str
    """Unlike that of any other on a page."""
    draw: Callable[[Axes, Paint], None]
    order: list[str]
    """Regimes, in the order of their colours."""
    size: tuple[float, float]
    """Inches."""
    legend: Literal["none", "files", "always"] = "none"
    """Where it has one: nowhere; in files, as a page has a legend of all regimes; or everywhere, as
    what it shows is no regime alone."""

    def svg(self) -> str:
        """As an element of a page. The same numbers give the same bytes."""
        paint = Paint(self.order, PAGE)
        text = io.StringIO()
        legend = self.legend == "always"
        self._save(text, paint, "svg", {"Date": None, "Creator": None}, legend)
        return svg.embedded(text.getvalue(), self.ident, VARIABLES, paint.hints)

    def save(self, stem: Path) -> list[Path]:
        """As files for a paper, in each of FORMATS; `stem`: their path without its ending."""
        paths = list[Path]()
        undated: dict[str, Mapping[str, None]] = {
            "svg": {"Date": None},
            "pdf": {"CreationDate": None},
            "png": {},
        }
        for form in FORMATS:
            path = stem.with_name(f"{stem.name}.{form}")
            with open(path, "wb") as file:
                paint = Paint(self.order, PAPER)
                self._save(file, paint, form, undated[form], self.legend != "none")
            paths.append(path)
        return paths

    def _save(
        self, to: Any, paint: Paint, form: str, metadata: Mapping[str, None], legend: bool
    ) -> None:
        ink, faint = paint.colours.ink, paint.colours.faint
        colours: dict[RcKeyType, object] = {
            "text.color": ink,
            "axes.labelcolor": ink,
            "xtick.color": ink,
            "ytick.color": ink,
            "axes.edgecolor": faint,
            "grid.color": faint,
        }

        # A fixed salt, and no date: the same drawing has the same bytes.
        with style({**STYLE, **colours, "svg.hashsalt": self.ident}):
            figure = Figure(figsize=self.size, layout="constrained", frameon=form == "png")
            axes = figure.add_subplot()
            axes.patch.set_visible(False)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            self.draw(axes, paint)
            if legend and self.legend == "always":
                figure.legend(loc="outside upper left", ncols=LEGEND_COLUMNS)
            elif legend:
                axes.legend()
            figure.savefig(to, format=form, metadata=metadata, dpi=200)


def clipped(low: float, high: float, bounds: Range) -> Range:
    """An interval as far as it lies within bounds."""
    return max(low, bounds[0]), min(high, bounds[1])


def room(points: Sequence[float], bounds: Range) -> Range:
    """The range of all scores with some room on both sides, as far as a task's range goes."""
    if not points:
        return bounds
    space = 0.12 * (max(points) - min(points)) or 1.0
    edge = 0.01 * (bounds[1] - bounds[0])
    return max(min(points) - space, bounds[0] - edge), min(max(points) + space, bounds[1] + edge)
