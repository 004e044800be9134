"""The report of an entry: one HTML file that needs nothing else, neither network nor script."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from leaderboard.formats import envelope, strict_json
from leaderboard.formats.records import read_evaluations
from leaderboard.pages import charts
from leaderboard.pages.curves import Panel, diagnostics_panels, returns_panel
from leaderboard.pages.table import HEADERS, comparison_rows
from leaderboard.statistics import claims, contrasts, references
from leaderboard.statistics.stats import FEW, iqm_interval, pooled_iqm, suite_mean
from leaderboard.verification.verify import Verdict


@dataclass(frozen=True)
class Drawing:
    """A chart and what it says to those who do not see it."""

    svg: str
    caption: str


@dataclass(frozen=True)
class TaskSection:
    """The drawings of one task."""

    name: str
    scores: Drawing
    overview: Drawing | None
    regimes: list[Drawing]
    diagnostics: list[Drawing]


def signed_predicate(entry: Path) -> dict[str, Any]:
    """What an entry states; give its verdict beside it, since nothing is checked here."""
    statement = strict_json.parse(envelope.payload(envelope.open_envelope(entry.read_bytes())))
    predicate: dict[str, Any] = statement["predicate"]
    return predicate


def render(
    predicate: dict[str, Any], manifest: dict[str, Any], folder: Path, verdict: Verdict | None
) -> str:
    """The page. Curves come from the records under `folder`; without a verdict it says that nothing is signed yet.

    `predicate` and `manifest` are those of the entry, or of what is there so far. Records of missing runs are not signed, and
    not drawn beside signed ones.
    """
    runs = predicate["runs"]
    recorded = [run for run in runs if verdict is None or run["status"] != "missing"]
    tasks = list(dict.fromkeys(run["task"] for run in runs))
    environment = Environment(
        loader=PackageLoader("leaderboard.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    regimes = list(dict.fromkeys(run["regime"] for run in runs))
    told = [run for run in runs if run["failure"]]
    plan = strict_json.parse((folder / "plan.json").read_bytes())
    budget = predicate["budget"]["environment_steps"]
    counts = {
        status: sum(run["status"] == status for run in runs)
        for status in ("finished", "failed", "missing")
    }
    return environment.get_template("report.html").render(
        entry=predicate,
        manifest=manifest,
        verdict=verdict,
        headers=HEADERS,
        rows=comparison_rows(runs),
        claims=claims.findings(plan["claims"], recorded, folder, budget) if plan["claims"] else [],
        published=published_rows(tasks) if budget == references.ENVIRONMENT_STEPS else [],
        tasks=tasks,
        contrasts=contrasts.contrasts(runs),
        profile=_profile(runs, regimes),
        few=_few(runs),
        suite_means=_suite_means(runs, regimes, tasks),
        signs=[(run, sign) for run in runs for sign in run["signs"]],
        counts=counts,
        told=told,
        sections=[
            _section(number, task, regimes, folder, recorded) for number, task in enumerate(tasks)
        ],
        legend=[(regime, *divmod(number, charts.HUES)) for number, regime in enumerate(regimes)],
        members=sorted({run["members"] for run in runs if run["members"]}),
    )


def published_rows(tasks: list[str]) -> list[tuple[str, references.Method, list[str]]]:
    """Published methods with a figure for one of these tasks: name, method, and mean and interval of each task."""
    rows = []
    for name, method in references.METHODS.items():
        if any(task in method.returns for task in tasks):
            cells = [
                f"{mean} +- {half}"
                for mean, half in (method.returns.get(task, ("-", "-")) for task in tasks)
            ]
            rows.append((name, method, cells))
    return rows


def _profile(runs: list[dict[str, Any]], regimes: list[str]) -> Drawing | None:
    """Performance profiles; None before two regimes have a score."""
    cells = {name: _cells(runs, name) for name in regimes}
    present = {name: found for name, found in cells.items() if found and all(found)}
    if len(present) < 2:
        return None
    drawn = charts.profiles(present, regimes, "profile")
    return Drawing(
        drawn,
        "Performance profiles: share of runs that score above a threshold, every task weighing the same",
    )


def _cells(runs: list[dict[str, Any]], regime: str) -> list[list[float]]:
    tasks = dict.fromkeys(run["task"] for run in runs)
    mine = [run for run in runs if run["regime"] == regime and run["score"] is not None]
    return [[run["score"] for run in mine if run["task"] == task] for task in tasks]


def _few(runs: list[dict[str, Any]]) -> bool:
    """Whether some cell has too few seeds for a ranking."""
    kinds = {(run["task"], run["regime"]) for run in runs}
    return any(
        len({run["seed"] for run in runs if (run["task"], run["regime"]) == kind}) < FEW
        for kind in kinds
    )


def _suite_means(
    runs: list[dict[str, Any]], regimes: list[str], tasks: list[str]
) -> list[tuple[str, str, str]]:
    """For each regime the mean over tasks and the pooled IQM, with their intervals; only where there are several tasks."""
    rows = []
    for regime in regimes if len(tasks) > 1 else []:
        cells = _cells(runs, regime)
        if all(cells):
            mean, low_high = suite_mean(cells), iqm_interval(cells)
            half = "" if math.isnan(mean.half_width) else f" +- {mean.half_width:.1f}"
            iqm = f"{pooled_iqm(cells):.1f} ({low_high[0]:.1f} to {low_high[1]:.1f})"
            rows.append((regime, f"{mean.mean:.1f}{half}", iqm))
    return rows


def _section(
    number: int, task: str, regimes: list[str], folder: Path, runs: list[dict[str, Any]]
) -> TaskSection:
    mine = [run for run in runs if run["task"] == task]
    recorded = read_evaluations(folder, mine)
    panel = returns_panel(recorded)
    scores = Drawing(
        charts.scores(mine, regimes, f"s{number}"),
        "Scores of the seeds (dots), mean and 95% t interval (diamond, bar; it may reach out of the chart)",
    )
    overview, single = None, []
    if panel.curves:
        overview = Drawing(
            charts.lines(panel, regimes, f"c{number}"), "All regimes: mean return over the seeds"
        )
        single = [
            Drawing(charts.lines(panel, regimes, f"c{number}r{at}", regime), _seeds(panel, regime))
            for at, regime in enumerate(regimes)
            if any(band.regime == regime for band in panel.bands)
        ]
    diagnostics = [
        Drawing(charts.lines(found, regimes, f"d{number}n{at}"), found.title)
        for at, found in enumerate(diagnostics_panels(recorded))
    ]
    return TaskSection(task, scores, overview, single, diagnostics)


def _seeds(panel: Panel, regime: str) -> str:
    count = sum(curve.regime == regime for curve in panel.curves)
    return (
        f"{regime}: {count} seeds, their mean, its 95% t interval"
        if count > 1
        else f"{regime}: one seed"
    )
