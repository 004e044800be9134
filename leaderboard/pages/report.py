"""Draws the report of an entry: one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from leaderboard.formats.manifest import Origin
from leaderboard.formats.plan import Plan
from leaderboard.formats.records import EvaluationRecord, LearningCurve, learning_curves
from leaderboard.formats.run import StatedRun
from leaderboard.formats.statement import Signer
from leaderboard.formats.suite import SuiteReference
from leaderboard.pages import charts
from leaderboard.pages.curves import Panel, diagnostics_panels, returns_panel
from leaderboard.pages.table import comparison_rows, headers
from leaderboard.statistics import claims, contrasts, references
from leaderboard.statistics.stats import FEW, iqm_interval, pooled_iqm, suite_mean
from leaderboard.verification.checks import Verdict


@dataclass(frozen=True)
class ReportInput:
    """What a report is drawn from: a verified entry, or what a plan folder holds so far."""

    plan: Plan
    suite: SuiteReference
    plan_sha256: str
    runs: tuple[StatedRun, ...]
    """Every planned run."""
    ranked: bool
    unranked_because: tuple[str, ...]
    origin: Origin | None
    """None: the plan is not carried out, so nothing is sealed yet."""
    command: str | None
    """What carried it out, as typed."""
    faults: int
    """Infrastructure faults of all cohorts."""
    signer: Signer | None = None
    verdict: Verdict | None = None
    """None: nothing is signed yet, and the page says so."""

    @classmethod
    def of(cls, verdict: Verdict) -> ReportInput:
        """An accepted entry, from the documents that its verification built."""
        documents = verdict.documents
        assert documents is not None, "the entry was accepted"
        predicate = documents.statement.predicate

        # From the documents that were verified, not read again from the disk.
        return cls(
            plan=documents.plan,
            suite=documents.suite,
            plan_sha256=predicate.plan.sha256,
            runs=predicate.runs,
            ranked=predicate.ranked,
            unranked_because=predicate.unranked_because,
            origin=predicate,
            command=documents.manifest.command,
            faults=documents.manifest.faults,
            signer=predicate.signer,
            verdict=verdict,
        )

    @property
    def plan_id(self) -> str:
        """First 16 hexadecimal digits of the plan's digest."""
        return self.plan_sha256[:16]

    @property
    def recorded(self) -> list[StatedRun]:
        """Runs whose records are drawn. Records of a missing run are not signed, so they are not
        drawn beside signed ones."""
        return [run for run in self.runs if self.verdict is None or not run.missing]


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


def render(report: ReportInput, read: Callable[[str], bytes | None]) -> str:
    """The page as HTML. `read`: gives the records of runs, for their curves (learning_curves)."""
    runs = report.runs
    tasks = list(dict.fromkeys(run.task for run in runs))
    regimes = list(dict.fromkeys(run.regime for run in runs))
    budget = report.plan.budget.environment_steps

    # Records are read once, task by task. Claims need the last evaluation of each run.
    sections = list[TaskSection]()
    last: dict[str, EvaluationRecord] = {}
    for number, task in enumerate(tasks):
        task_runs = [run for run in report.recorded if run.task == task]
        curves = learning_curves(task_runs, read)
        drawings = _Drawings(number, regimes, report.plan.modules)
        sections.append(drawings.section(task, task_runs, curves))
        last.update(
            {curve.run.name: curve.evaluations[-1] for curve in curves if curve.evaluations}
        )
    tested = claims.findings(report.suite.claims, report.recorded, last, budget)

    # Published figures are for one budget only.
    published = published_rows(tasks) if budget == references.ENVIRONMENT_STEPS else []
    template = _environment().get_template("report.html")
    return template.render(
        report=report,
        headers=headers(report.plan.modules),
        rows=comparison_rows(runs, report.plan.modules),
        modules=report.plan.modules,
        counts=Counter(run.status for run in runs),
        few=_few(runs),
        suite_means=_suite_means(runs, regimes, tasks),
        contrasts=contrasts.contrasts(runs),
        profile=_profile(runs, regimes),
        claims=tested,
        published=published,
        tasks=tasks,
        signatures=[(run, signature) for run in runs for signature in run.failure_signatures],
        failures=[run for run in runs if run.failure],
        sections=sections,
        legend=[(regime, *divmod(number, charts.HUES)) for number, regime in enumerate(regimes)],
        members=sorted({run.members for run in runs if run.members}),
    )


def _environment() -> Environment:
    """Templates that escape what strangers named, and fail on a name that they do not know."""
    return Environment(
        loader=PackageLoader("leaderboard.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def published_rows(tasks: list[str]) -> list[tuple[str, references.Method, list[str]]]:
    """Published methods with a figure for one of these tasks: name, method, and mean and interval
    of each task."""
    rows = []
    for name, method in references.METHODS.items():
        # A method without a figure for a task has a dash there.
        if any(task in method.returns for task in tasks):
            figures = [method.returns.get(task, ("-", "-")) for task in tasks]
            rows.append((name, method, [f"{mean} +- {half}" for mean, half in figures]))
    return rows


def _profile(runs: Sequence[StatedRun], regimes: list[str]) -> Drawing | None:
    """Performance profiles; None before two regimes have a score on every task."""
    scores = {regime: _scores(runs, regime) for regime in regimes}
    complete = {regime: cells for regime, cells in scores.items() if cells and all(cells)}

    # One profile alone compares nothing.
    if len(complete) < 2:
        return None
    return Drawing(
        charts.profiles(complete, regimes, "profile"),
        "Performance profiles: share of runs that score above a threshold, every task weighing the"
        " same",
    )


def _scores(runs: Sequence[StatedRun], regime: str) -> list[list[float]]:
    """Scores of a regime's seeds, task by task; a task without any has an empty list."""
    cells: dict[str, list[float]] = {run.task: [] for run in runs}
    for run in runs:
        if run.regime == regime and run.score is not None:
            cells[run.task].append(run.score)
    return list(cells.values())


def _few(runs: Sequence[StatedRun]) -> bool:
    """Whether some task and regime has too few seeds for a ranking."""
    return min(Counter(run.group for run in runs).values()) < FEW


def _suite_means(
    runs: Sequence[StatedRun], regimes: list[str], tasks: list[str]
) -> list[tuple[str, str, str]]:
    """For each regime the mean over tasks and the pooled IQM, with their intervals; only where
    there are several tasks."""
    if len(tasks) < 2:
        return []

    # A regime without a score on some task has no mean over the tasks.
    rows = []
    for regime in regimes:
        cells = _scores(runs, regime)
        if all(cells):
            mean = suite_mean(cells)
            half = "" if math.isnan(mean.half_width) else f" +- {mean.half_width:.1f}"
            low, high = iqm_interval(cells)
            iqm = f"{pooled_iqm(cells):.1f} ({low:.1f} to {high:.1f})"
            rows.append((regime, f"{mean.mean:.1f}{half}", iqm))
    return rows


@dataclass(frozen=True)
class _Drawings:
    """Draws one task."""

    number: int
    """Of the task: ids of its drawings begin with it."""
    regimes: list[str]
    """In the order of their colours."""
    modules: tuple[str, ...]

    def section(
        self, task: str, runs: Sequence[StatedRun], curves: Sequence[LearningCurve]
    ) -> TaskSection:
        """Everything that is drawn of the task."""
        scores = Drawing(
            charts.scores(runs, self.regimes, f"s{self.number}"),
            "Scores of the seeds (dots), mean and 95% t interval (diamond, bar; it may reach out of"
            " the chart)",
        )

        # Curves come from the records, as far as there are any.
        returns = returns_panel(curves)
        diagnostics = list[Drawing]()
        for index, panel in enumerate(diagnostics_panels(curves, self.modules)):
            diagnostics.append(Drawing(self._lines(panel, f"d{self.number}n{index}"), panel.title))

        overview = self._overview(returns)
        return TaskSection(task, scores, overview, self._single(returns), diagnostics)

    def _overview(self, returns: Panel) -> Drawing | None:
        """All regimes in one chart; None before anything is recorded."""
        if not returns.curves:
            return None
        svg = self._lines(returns, f"c{self.number}")
        return Drawing(svg, "All regimes: mean return over the seeds")

    def _single(self, returns: Panel) -> list[Drawing]:
        """Each regime alone, with its seeds."""
        drawn = {band.regime for band in returns.bands}
        drawings = list[Drawing]()
        for index, regime in enumerate(self.regimes):
            # Its number stays the same when another regime has nothing to draw.
            if regime in drawn:
                svg = self._lines(returns, f"c{self.number}r{index}", regime)
                drawings.append(Drawing(svg, _seeds(returns, regime)))
        return drawings

    def _lines(self, panel: Panel, ident: str, only: str | None = None) -> str:
        return charts.lines(panel, self.regimes, ident, only)


def _seeds(panel: Panel, regime: str) -> str:
    """The caption of one regime's drawing."""
    count = sum(curve.regime == regime for curve in panel.curves)
    if count == 1:
        return f"{regime}: one seed"
    return f"{regime}: {count} seeds, their mean, its 95% t interval"
