"""What a paper takes from an entry: charts as files, and the table of regimes as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from tabulate import tabulate

from leaderboard.formats.catalogue import return_range
from leaderboard.pages.answer import Standing
from leaderboard.pages.badge import Badge
from leaderboard.pages.drawings import Drawing
from leaderboard.pages.numbers import with_half
from leaderboard.pages.report import ReportInput, Results, environment, results
from leaderboard.statistics.scores import counting
from leaderboard.statistics.stats import mean_interval

Form = Literal["latex", "markdown"]
BAR = 31
"""Characters of a text bar."""
NAMED = 3
"""Most regimes that a badge names."""


def drawings(shown: Results) -> Iterator[tuple[str, Drawing]]:
    """Each drawing of a report with a name for its files."""
    if shown.answer.chart:
        yield "regimes", shown.answer.chart
    if shown.sizes:
        yield "sizes", shown.sizes
    if shown.profile:
        yield "profiles", shown.profile
    for section in shown.sections:
        if section.scores:
            yield f"{section.name}-scores", section.scores
        if section.overview:
            yield f"{section.name}-returns", section.overview
        for drawing in section.diagnostics:
            yield f"{section.name}-{_file_name(drawing.caption)}", drawing


def _file_name(caption: str) -> str:
    """A caption as part of a file's name."""
    return caption.replace(":", "").replace(" ", "-")


def save_figures(
    report: ReportInput, read: Callable[[str], bytes | None], folder: Path
) -> list[Path]:
    """Write every chart of a report into a folder, as SVG, PDF and PNG; their paths."""
    paths = list[Path]()
    for name, drawing in drawings(results(report, read)):
        paths += drawing.chart.save(folder / name)
    return paths


def table(report: ReportInput, read: Callable[[str], bytes | None], form: Form) -> str:
    """Regimes, best first: mean and 95 percent interval of each task and over all tasks, and the
    places that each may have. Those that may be first are bold. Markdown has a bar of each too."""
    standings = results(report, read).answer.standings
    tasks = [seeds[0].task for seeds in standings[0].cells] if standings else []
    headers = ["regime", *tasks, *(["mean over tasks"] if len(tasks) > 1 else []), "rank", "seeds"]
    rows = [_row(row) for row in standings]
    first = [row.first for row in standings]
    if form == "latex":
        return _latex(headers, rows, first)
    bars = text_bars(standings)
    bold = [
        [*(f"**{cell}**" if best else cell for cell in row), f"`{bar}`"]
        for row, best, bar in zip(rows, first, bars, strict=True)
    ]
    headers.append("the whole range of scores")
    return tabulate(bold, headers=headers, tablefmt="github", disable_numparse=True)


def badge(report: ReportInput, read: Callable[[str], bytes | None]) -> str:
    """What a report answers, as a badge: how far the entry was checked, and which regimes may be
    the best."""
    standings = results(report, read).answer.standings
    level = report.verdict.level if report.verdict else "unsigned"
    first = [row.regime for row in standings if row.first]
    told = 0 < len(first) < len(standings)
    if told and len(first) <= NAMED:
        outcome = f"{' or '.join(first)} best"
    elif told:
        outcome = f"{len(first)} of {len(standings)} not told apart"
    else:
        outcome = "not told apart"
    shown = Badge(report.suite.name, f"{level}, {outcome}", settled=told)
    return environment().get_template("badge.svg").render(badge=shown)


def text_bars(standings: Sequence[Standing]) -> list[str]:
    """Each regime's mean and interval as text, for where no picture can be shown. All have one
    scale: from the lowest to the highest score that a task has."""
    tasks = {seeds[0].task for row in standings for seeds in row.cells}
    low = min((return_range(task)[0] for task in tasks), default=0.0)
    high = max((return_range(task)[1] for task in tasks), default=1.0)

    def place(score: float) -> int:
        share = (score - low) / (high - low)
        return round(min(max(share, 0.0), 1.0) * (BAR - 1))

    bars = list[str]()
    for row in standings:
        bar = ["·"] * BAR
        half = 0.0 if math.isnan(row.mean.half_width) else row.mean.half_width
        for at in range(place(row.mean.mean - half), place(row.mean.mean + half) + 1):
            bar[at] = "━"
        bar[place(row.mean.mean)] = "◆"
        bars.append("".join(bar))
    return bars


def _row(standing: Standing) -> list[str]:
    means = [mean_interval(counting(seeds)) for seeds in standing.cells]
    cells = [with_half(mean.mean, mean.half_width) for mean in means]
    over = [standing.mean_text] if len(cells) > 1 else []
    return [standing.regime, *cells, *over, standing.rank_text, str(standing.fewest)]


def _latex(headers: list[str], rows: list[list[str]], first: list[bool]) -> str:
    """With the rules of the package booktabs. The kept libraries escape what makes text bold."""
    lines = [" & ".join(map(_escaped, headers)) + r" \\"]
    for row, best in zip(rows, first, strict=True):
        cells = [rf"\textbf{{{_escaped(cell)}}}" if best else _escaped(cell) for cell in row]
        lines.append(" & ".join(cells) + r" \\")
    lines = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    columns = "l" + "r" * (len(headers) - 1)
    return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *lines, r"\end{tabular}"])


def _escaped(cell: str) -> str:
    """Names and figures hold no other character that LaTeX reads."""
    return cell.replace("_", r"\_").replace("±", r"$\pm$")
