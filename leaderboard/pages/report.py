"""Draws the report of an entry: one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from jinja2 import Environment, PackageLoader, StrictUndefined

from leaderboard.formats.document import printable
from leaderboard.formats.manifest import Origin
from leaderboard.formats.names import OWN
from leaderboard.formats.plan import Plan
from leaderboard.formats.records import learning_curves
from leaderboard.formats.reeval import Level, Reevaluation
from leaderboard.formats.run import StatedRun
from leaderboard.formats.signed import Signed
from leaderboard.formats.statement import Signer
from leaderboard.formats.suite import SuiteReference
from leaderboard.pages import charts
from leaderboard.pages.drawings import TaskDrawings, TaskSection, profiles
from leaderboard.pages.networks import network_headers, networks
from leaderboard.pages.table import comparison_columns, rows_of
from leaderboard.statistics import claims, contrasts, references
from leaderboard.statistics.figures import figures
from leaderboard.statistics.scores import Scored, counting, finished, scored
from leaderboard.statistics.stats import FEW, iqm_interval, pooled_iqm, suite_mean
from leaderboard.verification.checks import Verdict


@dataclass(frozen=True)
class Measured:
    """Scores that somebody measured anew."""

    scores: Mapping[str, float] = field(repr=False)
    """Name of each finished run -> mean return of the fresh episodes."""
    name: str
    """Whoever measured them, as the trust file calls the key."""
    key_id: str
    episodes: int
    """Fresh episodes of each run."""
    level: Level

    @classmethod
    def of(cls, reeval: Signed[Reevaluation]) -> Measured:
        """What a re-evaluation by a trusted key measured."""
        stated = reeval.statement.predicate
        assert reeval.trusted is not None, "nobody relies on a re-evaluation by a stranger"
        scores = {run.run: run.fresh for run in stated.runs}
        return cls(
            scores, reeval.trusted, stated.signer.key_id, stated.fresh_episodes, stated.level
        )


@dataclass(frozen=True)
class ReportInput:
    """What a report is drawn from: a verified entry, or what a plan folder holds so far."""

    plan: Plan
    suite: SuiteReference
    plan_sha256: str
    runs: tuple[StatedRun, ...]
    """Every planned run."""
    unranked_because: tuple[str, ...]
    """Empty if it may be ranked."""
    origin: Origin | None
    """None: the plan is not carried out, so nothing is sealed yet."""
    command: str | None
    """What carried it out, as typed."""
    faults: int
    """Infrastructure faults of all cohorts."""
    signer: Signer | None = None
    verdict: Verdict | None = None
    """None: nothing is signed yet, and the page says so."""
    measured: Measured | None = None
    """None: scores are those that the entry claims."""

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
            unranked_because=verdict.unranked_because,
            origin=predicate,
            command=documents.manifest.command,
            faults=documents.manifest.faults,
            signer=predicate.signer,
            verdict=verdict,
            measured=Measured.of(documents.reeval) if documents.reeval else None,
        )

    @property
    def plan_id(self) -> str:
        """First 16 hexadecimal digits of the plan's digest."""
        return self.plan_sha256[:16]

    @cached_property
    def scored(self) -> list[Scored]:
        """Every planned run and what it counts as."""
        fresh = self.measured.scores if self.measured else None
        return scored(self.runs, fresh, under_way=self.verdict is None)

    @property
    def recorded(self) -> list[StatedRun]:
        """Runs whose records are drawn. Records of a missing run are not signed, so they are not
        drawn beside signed ones."""
        return [run for run in self.runs if self.verdict is None or not run.missing]


def render(report: ReportInput, read: Callable[[str], bytes | None]) -> str:
    """The page as HTML. `read`: gives the records of runs, for their curves (learning_curves)."""
    return environment().get_template("report.html").render(contents(report, read))


def render_sections(report: ReportInput, read: Callable[[str], bytes | None]) -> str:
    """The sections of results alone, with the figures of each chart, for another page."""
    template = environment().get_template("results.html")
    return template.render(contents(report, read), with_figures=True)


def contents(report: ReportInput, read: Callable[[str], bytes | None]) -> dict[str, object]:
    """What the templates are filled with."""
    runs = report.scored
    tasks = list(dict.fromkeys(run.task for run in runs))
    regimes = list(dict.fromkeys(run.regime for run in runs))
    budget = report.plan.budget.environment_steps
    sections, figures_of = _sections(report, tasks, regimes, read)
    tested = claims.findings(report.suite.claims, runs, figures_of, budget)

    # Published figures are for one budget only.
    published = published_rows(tasks) if budget == references.ENVIRONMENT_STEPS else []
    columns = comparison_columns(runs, report.plan.modules)
    return {
        "report": report,
        "with_figures": False,
        "headers": [column.title for column in columns],
        "rows": rows_of(columns),
        "modules": report.plan.modules,
        "counts": Counter(run.status for run in runs),
        "lost": any(run.lost for run in runs),
        "missing": any(run.missing for run in runs),
        "few": _few(runs),
        "network_headers": network_headers(report.plan),
        "networks": networks(report.plan),
        "suite_means": _suite_means(runs, regimes, tasks),
        "contrasts": contrasts.contrasts(runs),
        "profile": profiles({regime: _scores(runs, regime) for regime in regimes}, regimes),
        "claims": tested,
        "own_suite": report.suite.name.startswith(OWN),
        "claims_failed": any(finding.finished for finding in tested),
        "published": published,
        "tasks": tasks,
        "signatures": [
            (run, signature) for run in report.runs for signature in run.failure_signatures
        ],
        "failures": [run for run in report.runs if run.failure],
        "sections": sections,
        "legend": [(regime, *divmod(number, charts.HUES)) for number, regime in enumerate(regimes)],
        "members": sorted({run.members for run in report.runs if run.members}),
    }


def _sections(
    report: ReportInput,
    tasks: list[str],
    regimes: list[str],
    read: Callable[[str], bytes | None],
) -> tuple[list[TaskSection], dict[str, dict[str, float]]]:
    """The drawings of each task, and the figures of each run that claims are about."""
    budget = report.plan.budget.environment_steps
    names = {claim.figure for claim in report.suite.claims}
    by_name = {run.name: run for run in report.scored}
    figures_of = {run.name: figures(names, run, (), budget) for run in report.scored}

    # Records are read once, task by task.
    sections = list[TaskSection]()
    for number, task in enumerate(tasks):
        task_runs = [run for run in report.recorded if run.task == task]
        curves = learning_curves(task_runs, read)
        drawings = TaskDrawings(number, regimes, report.plan.modules)
        seeds = [run for run in report.scored if run.task == task]
        sections.append(drawings.section(task, seeds, curves))
        for curve in curves:
            run = by_name[curve.run.name]
            figures_of[run.name] = figures(names, run, curve.evaluations, budget)
    return sections, figures_of


def environment() -> Environment:
    """Templates that escape what strangers named, spell out control and direction characters in it,
    and fail on a name that they do not know."""
    return Environment(
        loader=PackageLoader("leaderboard.pages"),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _harmless(value: object) -> object:
    """What a template writes. Markup is ours; text may be a stranger's."""
    return printable(value) if type(value) is str else value


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


def _scores(runs: Sequence[Scored], regime: str) -> list[list[float]]:
    """What a regime's seeds count as, task by task; a task without any has an empty list."""
    return [counting(seeds) for seeds in _cells(runs, regime)]


def _cells(runs: Sequence[Scored], regime: str) -> list[list[Scored]]:
    """The seeds of a regime, task by task."""
    cells: dict[str, list[Scored]] = {run.task: [] for run in runs}
    for run in runs:
        if run.regime == regime:
            cells[run.task].append(run)
    return list(cells.values())


def _few(runs: Sequence[Scored]) -> bool:
    """Whether some task and regime has too few seeds for a ranking."""
    return min(Counter(run.group for run in runs).values()) < FEW


def _suite_means(
    runs: Sequence[Scored], regimes: list[str], tasks: list[str]
) -> list[tuple[str, str, str, str]]:
    """For each regime the mean over tasks, the same of finished runs where any was lost, and the
    pooled IQM, with their intervals; only where there are several tasks."""
    if len(tasks) < 2:
        return []

    # A regime without a score on some task has no mean over the tasks.
    rows = []
    for regime in regimes:
        cells = _scores(runs, regime)
        if all(cells):
            low, high = iqm_interval(cells)
            iqm = f"{pooled_iqm(cells):.1f} ({low:.1f} to {high:.1f})"
            rows.append((regime, _mean(cells), _finished_mean(_cells(runs, regime)), iqm))
    return rows


def _mean(cells: list[list[float]]) -> str:
    """The mean over tasks with its interval."""
    mean = suite_mean(cells)
    half = "" if math.isnan(mean.half_width) else f" +- {mean.half_width:.1f}"
    return f"{mean.mean:.1f}{half}"


def _finished_mean(cells: list[list[Scored]]) -> str:
    """The mean over tasks of finished runs; empty where none was lost."""
    if not any(run.lost for seeds in cells for run in seeds):
        return ""
    scores = [finished(seeds) for seeds in cells]
    return _mean(scores) if all(scores) else "-"
