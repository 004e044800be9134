"""The drawings of a report, each with its caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from leaderboard.formats.catalogue import return_range
from leaderboard.formats.records import LearningCurve
from leaderboard.pages import charts
from leaderboard.pages.chart import Chart
from leaderboard.pages.curves import Panel, diagnostics_panels, returns_panel
from leaderboard.pages.numbers import number, with_half
from leaderboard.statistics.scores import Scored


@dataclass(frozen=True)
class FigureTable:
    """The figures of a chart, a row for each environment step."""

    headers: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Drawing:
    """A chart and what it says to those who do not see it."""

    chart: Chart
    caption: str
    figures: FigureTable | None = None
    """What its lines show; None where another table of the page does."""

    @cached_property
    def svg(self) -> str:
        """As an element of a page."""
        return self.chart.svg()


@dataclass(frozen=True)
class TaskSection:
    """The drawings of one task."""

    name: str
    scores: Drawing | None
    """None where the page shows the same above."""
    overview: Drawing | None
    regimes: list[Drawing]
    diagnostics: list[Drawing]


def profiles(cells: Mapping[str, Mapping[str, list[float]]], regimes: list[str]) -> Drawing | None:
    """Performance profiles; None before two regimes have a score on every task. `cells`: regime ->
    task -> scores of the seeds."""
    complete = {
        regime: [_shares(task, seeds) for task, seeds in tasks.items()]
        for regime, tasks in cells.items()
        if tasks and all(tasks.values())
    }

    # One profile alone compares nothing.
    if len(complete) < 2:
        return None
    return Drawing(
        charts.profiles(complete, regimes, "profile"),
        "Performance profiles: share of runs that score above a threshold, every task weighing the"
        " same",
    )


def _shares(task: str, scores: list[float]) -> list[float]:
    """Scores as shares of the task's range."""
    low, high = return_range(task)
    return [(score - low) / (high - low) for score in scores]


@dataclass(frozen=True)
class TaskDrawings:
    """Draws one task."""

    number: int
    """Of the task: ids of its drawings begin with it."""
    regimes: list[str]
    """In the order of their colours."""
    modules: tuple[str, ...]
    alone: bool
    """Whether there is no other task."""

    def section(
        self, task: str, runs: Sequence[Scored], curves: Sequence[LearningCurve]
    ) -> TaskSection:
        """Everything that is drawn of the task."""
        # Curves come from the records, as far as there are any.
        returns = returns_panel(curves, return_range(task))
        diagnostics = list[Drawing]()
        for index, panel in enumerate(diagnostics_panels(curves, self.modules)):
            chart = charts.overview(panel, self.regimes, f"d{self.number}n{index}")
            diagnostics.append(Drawing(chart, panel.title, _means(panel)))

        overview = self._overview(returns)
        scores = None if self.alone else self._scores(task, runs)
        return TaskSection(task, scores, overview, self._single(returns), diagnostics)

    def _scores(self, task: str, runs: Sequence[Scored]) -> Drawing:
        """The final scores of all regimes."""
        lost = "; crosses: failed or missing" if any(run.lost for run in runs) else ""
        return Drawing(
            charts.scores(runs, self.regimes, f"s{self.number}", return_range(task)),
            f"Scores of the seeds (dots{lost}), mean and 95% t interval (diamond, bar)",
        )

    def _overview(self, returns: Panel) -> Drawing | None:
        """All regimes in one chart; None before anything is recorded."""
        if not returns.curves:
            return None
        chart = charts.lines(returns, self.regimes, f"c{self.number}")
        return Drawing(chart, f"Mean return over the seeds, {_intervals(returns)}", _means(returns))

    def _single(self, returns: Panel) -> list[Drawing]:
        """Each regime alone, with its seeds."""
        drawn = {band.regime for band in returns.bands}
        drawings = list[Drawing]()
        for index, regime in enumerate(self.regimes):
            # Its number stays the same when another regime has nothing to draw.
            if regime in drawn:
                ident = f"c{self.number}r{index}"
                chart = charts.single(returns, self.regimes, ident, regime)
                drawings.append(
                    Drawing(chart, _caption(returns, regime), _single_seeds(returns, regime))
                )
        return drawings


def _intervals(panel: Panel) -> str:
    """How the intervals of a chart of all regimes are shown."""
    if charts.banded(panel):
        return "and its 95% t interval"
    return "and its 95% t interval at the end"


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
        for step, mean, half in zip(band.steps, band.means, band.halves, strict=True):
            cells[step, band.regime] = with_half(mean, half)
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
                cells[step, column] = number(value)
    return _table(columns, cells)


def _table(columns: list[str], cells: Mapping[tuple[int, str], str]) -> FigureTable:
    """Cells by environment step and column; a dash where there is none."""
    steps = sorted({step for step, _ in cells})
    rows = [
        [f"{step:,}", *(cells.get((step, column), "-") for column in columns)] for step in steps
    ]
    return FigureTable(["step", *columns], rows)
