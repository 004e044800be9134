"""Draws the report of an entry: one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

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
from leaderboard.pages.answer import Answer, answer
from leaderboard.pages.chart import HUES
from leaderboard.pages.drawings import Drawing, TaskDrawings, TaskSection, profiles
from leaderboard.pages.networks import network_headers, networks
from leaderboard.pages.signs import signs
from leaderboard.pages.sizes import by_size
from leaderboard.pages.strips import Strip
from leaderboard.pages.table import comparison_columns, rows_of
from leaderboard.statistics import claims, contrasts, references
from leaderboard.statistics.claims import Finding
from leaderboard.statistics.figures import figures
from leaderboard.statistics.scores import Scored, scored
from leaderboard.statistics.stats import FEW
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
    strips: tuple[Strip, ...] = ()
    """Stills of policies."""

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

    @cached_property
    def tasks(self) -> list[str]:
        """In the order of the runs."""
        return list(dict.fromkeys(run.task for run in self.runs))

    @cached_property
    def regimes(self) -> list[str]:
        """In the order of the runs, which is that of their colours."""
        return list(dict.fromkeys(run.regime for run in self.runs))

    @property
    def recorded(self) -> list[StatedRun]:
        """Runs whose records are drawn. Records of a missing run are not signed, so they are not
        drawn beside signed ones."""
        return [run for run in self.runs if self.verdict is None or not run.missing]


def render(report: ReportInput, read: Callable[[str], bytes | None]) -> str:
    """The page as HTML. `read`: gives the records of runs, for their curves (learning_curves)."""
    return environment().get_template("report.html").render(contents(report, read))


def render_sections(report: ReportInput, read: Callable[[str], bytes | None]) -> str:
    """The sections of results alone, for another page."""
    return environment().get_template("results.html").render(contents(report, read))


@dataclass(frozen=True)
class Results:
    """What is drawn of the runs, and what they say."""

    answer: Answer
    claims: list[Finding]
    sizes: Drawing | None
    profile: Drawing | None
    sections: list[TaskSection]


def results(report: ReportInput, read: Callable[[str], bytes | None]) -> Results:
    """The results of a report. `read`: gives the records of runs."""
    runs, regimes = report.scored, report.regimes
    sections, figures_of = _sections(report, report.tasks, regimes, read)
    budget = report.plan.budget.environment_steps
    tested = claims.findings(report.suite.claims, runs, figures_of, budget)
    answered = answer(runs, regimes, tested)
    sizes = by_size(report.plan, answered.standings)
    profile = profiles(_cells(runs, regimes), regimes)
    return Results(answered, tested, sizes, profile, sections)


def contents(report: ReportInput, read: Callable[[str], bytes | None]) -> dict[str, object]:
    """What the templates are filled with."""
    runs, tasks = report.scored, report.tasks
    shown = results(report, read)

    # Published figures are for one budget only.
    budget = report.plan.budget.environment_steps
    published = published_rows(tasks) if budget == references.ENVIRONMENT_STEPS else []
    columns = comparison_columns(runs, report.plan.modules)
    return {
        "report": report,
        "answer": shown.answer,
        "claims": shown.claims,
        "sizes": shown.sizes,
        "profile": shown.profile,
        "sections": shown.sections,
        "headers": [column.title for column in columns],
        "rows": rows_of(columns),
        "modules": report.plan.modules,
        "counts": Counter(run.status for run in runs),
        "lost": any(run.lost for run in runs),
        "missing": any(run.missing for run in runs),
        "few": min(Counter(run.group for run in runs).values()) < FEW,
        "enough": FEW,
        "network_headers": network_headers(report.plan),
        "networks": networks(report.plan),
        "contrasts": contrasts.contrasts(runs),
        "own_suite": report.suite.name.startswith(OWN),
        "claims_failed": any(finding.finished for finding in shown.claims),
        "published": published,
        "tasks": tasks,
        "signs": signs(report.runs),
        "failures": [run for run in report.runs if run.failure],
        "legend": [(regime, *divmod(number, HUES)) for number, regime in enumerate(report.regimes)],
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
        drawings = TaskDrawings(number, regimes, report.plan.modules, len(tasks) == 1)
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
            rows.append((name, method, [f"{mean} ± {half}" for mean, half in figures]))
    return rows


def _cells(runs: Sequence[Scored], regimes: list[str]) -> dict[str, dict[str, list[float]]]:
    """What the seeds of each regime count as, task by task; a task without any has an empty
    list."""
    tasks = dict.fromkeys(run.task for run in runs)
    cells = {regime: {task: list[float]() for task in tasks} for regime in regimes}
    for run in runs:
        if run.counted is not None:
            cells[run.regime][run.task].append(run.counted)
    return cells
