"""Parts of a suite's table: its columns, its filters, and intervals as small drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leaderboard.pages.board.standings import Row
from leaderboard.pages.board.words import points

Choices = list[tuple[str, str]]
"""Value and text of each choice."""


@dataclass(frozen=True)
class Column:
    """A column of a suite's table."""

    key: str
    title: str
    css: str = ""


def columns(tasks: Sequence[str]) -> list[Column]:
    return [
        Column("rank", "rank", "rank"),
        Column("regime", "regime", "who"),
        Column("mean", "suite mean, 95% interval", "mean"),
        Column("submitter", "submitter", "text"),
        Column("level", "level", "text"),
        Column("iqm", "IQM, 95% interval"),
        *(Column(task, task) for task in tasks),
        Column("seeds", "seeds"),
        Column("failed", "failed"),
        Column("missing", "missing"),
        Column("collapsed", "collapsed"),
        Column("density", "density"),
        Column("parameters", "parameters"),
        Column("flops", "FLOPs"),
        Column("hardware", "hardware", "text"),
        Column("hours", "hours"),
        Column("registered", "registered"),
        Column("date", "accepted", "text"),
        Column("licence", "licence", "text"),
    ]


def filters(rows: Sequence[Row]) -> list[tuple[str, str, Choices]]:
    """Name, title and choices of each filter."""
    regimes = sorted({row.regime.name for row in rows})
    hardware = sorted({row.results.hardware for row in rows})
    submitters = {
        submitter.ident: f"{submitter.name} ({submitter.key})"
        for submitter in (row.entry.announced.submitter for row in rows)
    }
    return [
        ("regime", "Regime", [(name, name) for name in regimes]),
        ("level", "Level, at least", [(name, name) for name in ("L1", "L2", "L3")]),
        ("hardware", "Hardware", [(name, name) for name in hardware]),
        ("submitter", "Submitter", sorted(submitters.items(), key=lambda each: each[1])),
    ]


def task_mean(row: Row, task: str) -> str:
    """A row's mean on a task; a dash where it was not planned."""
    scores = row.regime.scores.get(task)
    return points(sum(scores) / len(scores)) if scores else "-"


class Strip:
    """Draws the interval of a row's mean on an axis that all rows share."""

    def __init__(self, rows: Sequence[Row]) -> None:
        ends = [end for row in rows for end in _ends(row)]
        self.low = min(ends, default=0.0)
        self.room = (max(ends, default=1.0) - self.low) or 1.0

    def __call__(self, row: Row) -> Markup:
        low, high = (self._at(end) for end in _ends(row))
        middle = self._at(row.mean.mean)
        return Markup(
            '<svg class="strip" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="track" y="2.5" width="100" height="1"/><rect class="soft" x="{low:.1f}"'
            f' y="1.5" width="{high - low:.1f}" height="3"/><rect class="dot" x="{middle:.1f}"'
            ' width="1.2" height="6"/></svg>'
        )

    def _at(self, value: float) -> float:
        return 98.0 * (value - self.low) / self.room


def _ends(row: Row) -> tuple[float, float]:
    """Ends of the interval of a mean; the mean itself where it has none."""
    half = row.mean.half_width if row.mean.half_width == row.mean.half_width else 0.0
    return row.mean.mean - half, row.mean.mean + half
