"""What an entry's own files say, verified: all that pages need of it besides the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from leaderboard.pages.report import ReportInput
from leaderboard.pages.table import density_text
from leaderboard.statistics.scores import Scored, counting, finished
from leaderboard.statistics.stats import collapsed
from leaderboard.verification.checks import Verdict

SUMMARY_SCHEMA: Literal["urn:mst-bench:entry-summary:v1"] = "urn:mst-bench:entry-summary:v1"


@dataclass(frozen=True)
class CheckLine:
    """A check of `verify` and how it went."""

    name: str
    status: Literal["passed", "failed", "unknown"]
    detail: str


@dataclass(frozen=True)
class RegimeSummary:
    """The runs of one regime."""

    name: str
    scores: dict[str, tuple[float, ...]]
    """Task that it is planned on -> what each seed counts as: its score, or the task's floor."""
    planned: int
    finished: int
    failed: int
    missing: int
    collapsed: int
    density: str
    """Active share of the weights of each module."""
    parameters: int
    """Active ones; of the largest network, if tasks differ."""
    flops: int
    """Active operations of the learning of one agent step, of the same network."""

    @property
    def cells(self) -> list[list[float]]:
        """The scores task by task."""
        return [list(scores) for scores in self.scores.values()]


@dataclass(frozen=True)
class Results:
    """What an entry states that verified."""

    plan: str
    """sha256 of plan.json."""
    agent: str
    modules: tuple[str, ...]
    tasks: tuple[str, ...]
    environment_steps: int
    """Of each run."""
    hardware: str
    hours: float
    """Between the first and the last moment of its execution."""
    image: str | None
    """Content of the reference image; None outside of it."""
    fresh: str | None
    """Id of the key that measured the scores; None: they are those that the entry claims."""
    regimes: tuple[RegimeSummary, ...]


@dataclass(frozen=True)
class Summary:
    """What is said of an entry's folder."""

    schema: Literal["urn:mst-bench:entry-summary:v1"]
    checks: tuple[CheckLine, ...]
    results: Results | None
    """None if a check failed."""

    def check(self, name: str) -> CheckLine | None:
        """A check by its name; None if it did not run."""
        return next((check for check in self.checks if check.name == name), None)

    @property
    def failed(self) -> CheckLine | None:
        """The check that failed, if one did."""
        return next((check for check in self.checks if check.status == "failed"), None)


def summarise(verdict: Verdict, report: ReportInput | None) -> Summary:
    """The summary of an entry; `report`: what its page is drawn from, None if it was refused."""
    checks = tuple(CheckLine(check.name, check.status, check.detail) for check in verdict.checks)
    return Summary(SUMMARY_SCHEMA, checks, None if report is None else _results(report))


def _results(report: ReportInput) -> Results:
    """What an accepted entry states."""
    origin = report.origin
    assert origin is not None, "an accepted entry is sealed"
    started, ended = (
        datetime.fromisoformat(moment) for moment in (origin.times.started, origin.times.ended)
    )
    regimes: dict[str, list[Scored]] = {}
    for run in report.scored:
        regimes.setdefault(run.regime, []).append(run)
    measured = report.measured
    return Results(
        plan=report.plan_sha256,
        agent=report.plan.agent,
        modules=report.plan.modules,
        tasks=report.plan.tasks,
        environment_steps=report.plan.budget.environment_steps,
        hardware=_hardware(origin.hardware.gpus, origin.hardware.cpu, origin.hardware.cores),
        hours=round((ended - started).total_seconds() / 3600.0, 2),
        image=origin.image.content_sha256 if origin.image else None,
        fresh=measured.key_id if measured else None,
        regimes=tuple(
            _regime(report, name, runs, report.plan.tasks) for name, runs in regimes.items()
        ),
    )


def _hardware(gpus: Sequence[str], cpu: str, cores: int) -> str:
    """GPUs with their number, or the CPU."""
    if not gpus:
        return f"{cores} cores of {cpu}"
    return ", ".join(f"{count} x {gpu}" for gpu, count in Counter(gpus).items())


def _regime(
    report: ReportInput, name: str, runs: Sequence[Scored], tasks: Sequence[str]
) -> RegimeSummary:
    """The row of a regime."""
    by_task = {task: [run for run in runs if run.task == task] for task in tasks}
    stated = [run for run in report.runs if run.regime == name and run.parameters]
    statuses = Counter(run.status for run in runs)
    return RegimeSummary(
        name=name,
        scores={task: tuple(counting(seeds)) for task, seeds in by_task.items() if seeds},
        planned=len(runs),
        finished=statuses["finished"],
        failed=statuses["failed"],
        missing=statuses["missing"],
        collapsed=sum(_collapsed(seeds) for seeds in by_task.values()),
        density=density_text(runs, report.plan.modules),
        parameters=_largest([run.parameters for run in stated]),
        flops=_largest([run.flops for run in stated]),
    )


def _collapsed(runs: Sequence[Scored]) -> int:
    scores = finished(runs)
    return collapsed(scores) if scores else 0


def _largest(counts: Sequence[Mapping[str, int | float]]) -> int:
    """The largest number of active ones; 0 where no run states any."""
    return int(max((count.get("active", 0) for count in counts), default=0))
