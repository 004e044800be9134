"""What a paper takes from an entry: charts as files, and the table of regimes as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from tabulate import tabulate

from leaderboard.pages.answer import Standing
from leaderboard.pages.drawings import Drawing
from leaderboard.pages.numbers import with_half
from leaderboard.pages.report import ReportInput, Results, results
from leaderboard.statistics.scores import counting
from leaderboard.statistics.stats import mean_interval

Form = Literal["latex", "markdown"]


def drawings(shown: Results) -> Iterator[tuple[str, Drawing]]:
    """Each drawing of a report with a name for its files."""
    if shown.answer.chart:
        yield "regimes", shown.answer.chart
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
    places that each may have. Those that may be first are bold."""
    standings = results(report, read).answer.standings
    tasks = [seeds[0].task for seeds in standings[0].cells] if standings else []
    headers = ["regime", *tasks, *(["mean over tasks"] if len(tasks) > 1 else []), "rank", "seeds"]
    rows = [_row(row) for row in standings]
    first = [row.first for row in standings]
    if form == "latex":
        return _latex(headers, rows, first)
    bold = [
        [f"**{cell}**" for cell in row] if best else row
        for row, best in zip(rows, first, strict=True)
    ]
    return tabulate(bold, headers=headers, tablefmt="github", disable_numparse=True)


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
