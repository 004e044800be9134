"""What a report says first: one sentence, one chart and one table of all regimes, best first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from leaderboard.formats.catalogue import return_range
from leaderboard.pages import charts
from leaderboard.pages.chart import Range
from leaderboard.pages.charts import Place
from leaderboard.pages.drawings import Drawing
from leaderboard.pages.numbers import with_half
from leaderboard.statistics.claims import Finding
from leaderboard.statistics.ranking import Contender, RankInterval, rank_intervals
from leaderboard.statistics.rules import Verdict
from leaderboard.statistics.scores import Scored, counting, finished
from leaderboard.statistics.stats import (
    FEW,
    Mean,
    iqm_interval,
    mean_interval,
    pooled_iqm,
    suite_mean,
)

NAMED = 4
"""Most regimes that a sentence names one by one."""
VERDICTS: tuple[Verdict, ...] = ("supported", "refuted", "undecided")


@dataclass(frozen=True)
class Standing:
    """A regime over all tasks."""

    regime: str
    cells: list[list[Scored]]
    """Its seeds, task by task."""
    mean: Mean
    """Of the tasks' means, with its interval."""
    rank: RankInterval | None = None
    """Places that it may have; None: too few seeds, or runs that are missing."""

    @property
    def first(self) -> bool:
        """Whether no other regime is shown to be better."""
        return self.rank is not None and self.rank.best == 1

    @property
    def rank_text(self) -> str:
        if self.rank is None:
            return "-"
        best, worst = self.rank.best, self.rank.worst
        return f"{best}" if best == worst else f"{best} to {worst}"

    @property
    def mean_text(self) -> str:
        return with_half(self.mean.mean, self.mean.half_width)

    @property
    def finished_text(self) -> str:
        """The same without runs that were lost; empty where none was."""
        if not any(run.lost for seeds in self.cells for run in seeds):
            return ""
        scores = [finished(seeds) for seeds in self.cells]
        if not all(scores):
            return "-"
        mean = suite_mean(scores)
        return with_half(mean.mean, mean.half_width)

    @property
    def iqm_text(self) -> str:
        """The pooled IQM, with its bootstrap interval where there are seeds enough for one."""
        cells = [counting(seeds) for seeds in self.cells]
        middle = f"{pooled_iqm(cells):.1f}"
        if self.fewest < FEW:
            return middle
        low, high = iqm_interval(cells)
        return f"{middle} ({low:.1f} to {high:.1f})"

    @property
    def fewest(self) -> int:
        """Seeds of the task that has fewest."""
        return min(len(counting(seeds)) for seeds in self.cells)

    @property
    def place(self) -> Place:
        """Its row of the chart."""
        if len(self.cells) == 1:
            return Place(self.regime, self.mean, self.cells[0], {})
        tasks = {seeds[0].task: mean_interval(counting(seeds)).mean for seeds in self.cells}
        return Place(self.regime, self.mean, [], tasks)


@dataclass(frozen=True)
class Answer:
    """What the runs say."""

    sentences: list[str]
    standings: list[Standing]
    chart: Drawing | None
    lost: bool
    """Whether a run of any regime was lost."""


def answer(runs: Sequence[Scored], regimes: list[str], findings: Sequence[Finding]) -> Answer:
    """What planned runs say of the regimes that have a score on every task."""
    tasks = list(dict.fromkeys(run.task for run in runs))
    standings = _ranked(_standings(runs, regimes, tasks))
    sentences = [_sentence(standings, tasks), *_of_claims(findings)]
    lost = any(run.lost for run in runs)
    return Answer(sentences, standings, _chart(standings, regimes, tasks), lost)


def _standings(runs: Sequence[Scored], regimes: list[str], tasks: list[str]) -> list[Standing]:
    """Regimes with a score on every task, best first."""
    found = list[Standing]()
    for regime in regimes:
        cells = [
            [run for run in runs if (run.task, run.regime) == (task, regime)] for task in tasks
        ]
        if all(counting(seeds) for seeds in cells):
            mean = suite_mean([counting(seeds) for seeds in cells])
            found.append(Standing(regime, cells, mean))
    return sorted(found, key=lambda standing: -standing.mean.mean)


def _ranked(standings: list[Standing]) -> list[Standing]:
    """With the places that each may have; without any if one of them has too few seeds, or lacks a
    run: the others would be ranked as if it were not there."""
    missing = any(run.missing for row in standings for seeds in row.cells for run in seeds)
    if missing or any(row.fewest < FEW for row in standings):
        return standings
    ranks = rank_intervals(
        [Contender([counting(seeds) for seeds in row.cells]) for row in standings]
    )
    return [replace(row, rank=rank) for row, rank in zip(standings, ranks, strict=True)]


def _sentence(standings: list[Standing], tasks: list[str]) -> str:
    """Which regime is best, as far as the seeds can tell."""
    where = f"on {tasks[0]}" if len(tasks) == 1 else f"over the {len(tasks)} tasks"
    if not standings:
        return "No regime has a score on every task yet."
    top = standings[0]
    if len(standings) == 1:
        return f"{top.regime} scores {top.mean_text} {where}."
    if not top.rank:
        return (
            f"{top.regime} has the highest mean {where}, {top.mean_text}. Seeds are too few, or"
            " runs are missing, so no regime is called the best."
        )

    # The more regimes may be first, the less is told.
    first = [row.regime for row in standings if row.first]
    below = [row.regime for row in standings if not row.first]
    if not below:
        low, high = standings[-1].mean.mean, top.mean.mean
        return (
            f"No regime is shown to be better than another {where}: their means lie between"
            f" {low:.1f} and {high:.1f}."
        )
    if len(first) == 1:
        return f"{top.regime} is best {where}: {top.mean_text}, above every other regime."
    others = _listed(below) if len(below) <= NAMED else f"the other {len(below)}"
    are = "is" if len(below) == 1 else "are"
    return (
        f"{_listed(first)} may each be the best {where}; {others} {are} shown to be below another."
    )


def _listed(names: list[str]) -> str:
    """Names as a sentence lists them."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _of_claims(findings: Sequence[Finding]) -> list[str]:
    """How many claims were decided."""
    if not findings:
        return []
    counts = Counter(finding.verdict for finding in findings)
    told = _listed([f"{counts[verdict]} {verdict}" for verdict in VERDICTS])
    return [f"Of the {len(findings)} comparisons that were declared before the runs: {told}."]


def _chart(standings: list[Standing], regimes: list[str], tasks: list[str]) -> Drawing | None:
    """All regimes in one chart."""
    if not standings:
        return None
    dots = "tasks (dots)"
    if len(tasks) == 1:
        lost = any(run.lost for row in standings for run in row.cells[0])
        dots = f"seeds (dots{'; crosses: failed or missing' if lost else ''})"
    caption = f"Mean score of each regime and its 95% interval (diamond, bar), and its {dots}"
    places = [row.place for row in standings]
    return Drawing(charts.standing(places, regimes, bounds_of(tasks)), caption)


def bounds_of(tasks: Sequence[str]) -> Range:
    """Lowest and highest return of any of these tasks."""
    ranges = [return_range(task) for task in tasks]
    return min(low for low, _ in ranges), max(high for _, high in ranges)
