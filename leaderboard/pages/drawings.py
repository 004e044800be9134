"""The drawings of a report, each with its caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leaderboard.formats.records import LearningCurve
from leaderboard.pages import charts
from leaderboard.pages.curves import Panel, diagnostics_panels, returns_panel
from leaderboard.statistics.scores import Scored


@dataclass(frozen=True)
class FigureTable:
    """The figures of a chart, a row for each environment step."""

    headers: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Drawing:
    """A chart and what it says to those who do not see it."""

    svg: str
    caption: str
    figures: FigureTable | None = None
    """What its lines show; None where another table of the page does."""


@dataclass(frozen=True)
class TaskSection:
    """The drawings of one task."""

    name: str
    scores: Drawing
    overview: Drawing | None
    regimes: list[Drawing]
    diagnostics: list[Drawing]


def profiles(cells: Mapping[str, list[list[float]]], regimes: list[str]) -> Drawing | None:
    """Performance profiles; None before two regimes have a score on every task. `cells`: regime ->
    scores of the seeds of each task."""
    complete = {regime: tasks for regime, tasks in cells.items() if tasks and all(tasks)}

    # One profile alone compares nothing.
    if len(complete) < 2:
        return None
    return Drawing(
        charts.profiles(complete, regimes, "profile"),
        "Performance profiles: share of runs that score above a threshold, every task weighing the"
        " same",
    )


@dataclass(frozen=True)
class TaskDrawings:
    """Draws one task."""

    number: int
    """Of the task: ids of its drawings begin with it."""
    regimes: list[str]
    """In the order of their colours."""
    modules: tuple[str, ...]

    def section(
        self, task: str, runs: Sequence[Scored], curves: Sequence[LearningCurve]
    ) -> TaskSection:
        """Everything that is drawn of the task."""
        scores = Drawing(
            charts.scores(runs, self.regimes, f"s{self.number}"),
            "Scores of the seeds (dots; crosses: failed or missing), mean and 95% t interval"
            " (diamond, bar; it may reach out of the chart)",
        )

        # Curves come from the records, as far as there are any.
        returns = returns_panel(curves)
        diagnostics = list[Drawing]()
        for index, panel in enumerate(diagnostics_panels(curves, self.modules)):
            svg = self._lines(panel, f"d{self.number}n{index}")
            diagnostics.append(Drawing(svg, panel.title, _means(panel)))

        overview = self._overview(returns)
        return TaskSection(task, scores, overview, self._single(returns), diagnostics)

    def _overview(self, returns: Panel) -> Drawing | None:
        """All regimes in one chart; None before anything is recorded."""
        if not returns.curves:
            return None
        svg = self._lines(returns, f"c{self.number}")
        return Drawing(svg, "All regimes: mean return over the seeds", _means(returns))

    def _single(self, returns: Panel) -> list[Drawing]:
        """Each regime alone, with its seeds."""
        drawn = {band.regime for band in returns.bands}
        drawings = list[Drawing]()
        for index, regime in enumerate(self.regimes):
            # Its number stays the same when another regime has nothing to draw.
            if regime in drawn:
                svg = self._lines(returns, f"c{self.number}r{index}", regime)
                drawings.append(
                    Drawing(svg, _caption(returns, regime), _single_seeds(returns, regime))
                )
        return drawings

    def _lines(self, panel: Panel, ident: str, only: str | None = None) -> str:
        return charts.lines(panel, self.regimes, ident, only)


def _caption(panel: Panel, regime: str) -> str:
    """The caption of one regime's drawing."""
    count = sum(curve.regime == regime for curve in panel.curves)
    if count == 1:
        return f"{regime}: one seed"
    return f"{regime}: {count} seeds, their mean, its 95% t interval"


def _means(panel: Panel) -> FigureTable:
    """Means of the regimes, each with half of its interval."""
    cells: dict[tuple[int, str], str] = {}
    for band in panel.bands:
        for step, mean, interval in zip(band.steps, band.means, band.intervals, strict=True):
            half = "" if interval is None else f" ± {_number(interval[1] - mean)}"
            cells[step, band.regime] = f"{_number(mean)}{half}"
    return _table([band.regime for band in panel.bands], cells)


def _single_seeds(panel: Panel, regime: str) -> FigureTable:
    """What each seed of a regime had."""
    cells: dict[tuple[int, str], str] = {}
    columns = list[str]()
    for curve in panel.curves:
        if curve.regime == regime:
            column = f"seed {curve.seed}"
            columns.append(column)
            for step, value in zip(curve.steps, curve.values, strict=True):
                cells[step, column] = _number(value)
    return _table(columns, cells)


def _table(columns: list[str], cells: Mapping[tuple[int, str], str]) -> FigureTable:
    """Cells by environment step and column; a dash where there is none."""
    steps = sorted({step for step, _ in cells})
    rows = [
        [f"{step:,}", *(cells.get((step, column), "-") for column in columns)] for step in steps
    ]
    return FigureTable(["step", *columns], rows)


def _number(value: float) -> str:
    """A figure with three digits or more."""
    return f"{value:.1f}" if abs(value) >= 100.0 or value == 0.0 else f"{value:.3g}"
