"""The table of a suite: a row for each entry and regime, ranked or with the reasons why not.

Ranks are worked out once, over all rows that may have one. What a reader hides or sorts on a page
changes none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from leaderboard.formats.log.leaf import SuiteLeaf
from leaderboard.pages.board.facts import BoardEntry, Facts
from leaderboard.pages.board.summary import RegimeSummary, Results, Summary
from leaderboard.statistics.ranking import (
    LEAST,
    SETTLED,
    Contender,
    RankInterval,
    rank_intervals,
    seeds,
)
from leaderboard.statistics.stats import FEW, Mean, iqm_interval, pooled_iqm, suite_mean

PROOFS = {
    "registration": "its registration is not proven",
    "beacon": "its seeds are not proven to come from a beacon",
}
"""Checks of `verify` that a ranked row has passed -> what is said of it otherwise."""


@dataclass(frozen=True)
class Row:
    """A regime of an entry."""

    entry: BoardEntry
    results: Results
    regime: RegimeSummary
    mean: Mean
    iqm: float
    unranked: tuple[str, ...]
    """Why it has no rank; empty if it has one."""
    rank: RankInterval | None = None

    @property
    def name(self) -> str:
        """What names the row in data and addresses: the entry's leaf and the regime."""
        return f"{self.entry.index}-{self.regime.name}"

    @cached_property
    def iqm_interval(self) -> tuple[float, float] | None:
        """By bootstrap; None: too few seeds for one."""
        cells = self.regime.cells
        return iqm_interval(cells) if seeds(cells) >= FEW else None

    @property
    def few(self) -> bool:
        """Whether its seeds are few for the rank that it has."""
        return self.rank is not None and seeds(self.regime.cells) < SETTLED


@dataclass(frozen=True)
class Standings:
    """The table of one version of a suite."""

    leaf: SuiteLeaf
    ranked: tuple[Row, ...]
    """By their places."""
    unranked: tuple[Row, ...]
    """The newest first."""
    without: tuple[tuple[BoardEntry, tuple[str, ...]], ...]
    """Entries that have no rows, and why."""

    @property
    def ident(self) -> str:
        """What its page is called."""
        return f"{self.leaf.suite}-v{self.leaf.version}"

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows in the order of the table."""
        return self.ranked + self.unranked

    @property
    def entries(self) -> list[BoardEntry]:
        """All entries of the suite, each once."""
        shown = {row.entry.index: row.entry for row in self.rows}
        return [*shown.values(), *(entry for entry, _ in self.without)]

    @property
    def results(self) -> Results | None:
        """Of the first entry: what all entries of a suite share."""
        return min(self.rows, key=lambda row: row.entry.index).results if self.rows else None


def standings(facts: Facts, name: tuple[str, int]) -> Standings:
    """The table of a suite and version."""
    tasks = _tasks(facts, name)
    rows = list[Row]()
    without = list[tuple[BoardEntry, tuple[str, ...]]]()
    for entry in facts.entries:
        leaf = entry.announced.registration.leaf
        if (leaf.suite, leaf.version) != name:
            continue
        results = entry.read.summary.results if entry.read is not None else None
        if results is None:
            without.append((entry, entry_reasons(facts, entry)))
        else:
            rows += [_row(facts, entry, results, regime, tasks) for regime in results.regimes]

    # Newest first, and those with a rank by their places.
    rows.sort(key=lambda row: (-row.entry.index, row.regime.name))
    ranked = _ranked([row for row in rows if not row.unranked])
    unranked = tuple(row for row in rows if row.unranked)
    return Standings(facts.log.board.suites[name], ranked, unranked, tuple(without))


def _tasks(facts: Facts, name: tuple[str, int]) -> tuple[str, ...]:
    """The tasks of a suite: those of its first entry that verifies."""
    for entry in facts.entries:
        leaf = entry.announced.registration.leaf
        results = entry.read.summary.results if entry.read is not None else None
        if (leaf.suite, leaf.version) == name and results is not None:
            return results.tasks
    return ()


def _row(
    facts: Facts,
    entry: BoardEntry,
    results: Results,
    regime: RegimeSummary,
    tasks: tuple[str, ...],
) -> Row:
    cells = regime.cells
    return Row(
        entry,
        results,
        regime,
        mean=suite_mean(cells),
        iqm=pooled_iqm(cells),
        unranked=(*entry_reasons(facts, entry), *regime_reasons(regime, tasks)),
    )


def _ranked(rows: list[Row]) -> tuple[Row, ...]:
    """Rows with their rank intervals, in the order of these and then of their means."""
    contenders = [Contender(row.regime.cells, row.entry.registrations) for row in rows]
    placed = [
        replace(row, rank=interval)
        for row, interval in zip(rows, rank_intervals(contenders), strict=True)
    ]
    return tuple(sorted(placed, key=_place))


def _place(row: Row) -> tuple[int, int, float, int, str]:
    assert row.rank is not None, "only ranked rows are sorted so"
    return (row.rank.best, row.rank.worst, -row.mean.mean, row.entry.index, row.regime.name)


def entry_reasons(facts: Facts, entry: BoardEntry) -> tuple[str, ...]:
    """Why an entry is not ranked, whatever its regimes; none if nothing speaks against it."""
    if entry.logged.retracted is not None:
        index, leaf = entry.logged.retracted
        who = "its submitter" if leaf.key else "the maintainers"
        return (f"retracted by {who} (leaf {index})",)
    if entry.read is None:
        return ("its files are not on the board",)
    summary = entry.read.summary
    if summary.failed is not None:
        return (f"does not verify: {summary.failed.name}: {summary.failed.detail}",)

    reasons = list[str]()
    if entry.logged.disputed:
        reasons.append("disputed: its key was revoked from then on")
    if not entry.announced.in_time:
        reasons.append("no quorum of witnesses saw its registration before its seeds")
    reasons += _unproven(summary)
    assert summary.results is not None, "it verified"
    if summary.results.image not in facts.released:
        reasons.append("it did not run in a released image")
    if entry.level == "L0":
        reasons.append("not re-evaluated yet")
    return (*_incomplete(summary.results), *reasons)


def _incomplete(results: Results) -> list[str]:
    """Runs that are missing. Whoever left them out may have seen them."""
    missing = sum(regime.missing for regime in results.regimes)
    planned = sum(regime.planned for regime in results.regimes)
    return [f"{missing} of {planned} runs are missing"] if missing else []


def _unproven(summary: Summary) -> list[str]:
    """Proofs that an entry lacks."""
    reasons = list[str]()
    for name, sentence in PROOFS.items():
        check = summary.check(name)
        if check is None or check.status != "passed":
            reasons.append(sentence)
    return reasons


def regime_reasons(regime: RegimeSummary, tasks: tuple[str, ...]) -> tuple[str, ...]:
    """Why one regime of an entry is not ranked in a suite of these tasks."""
    if tuple(regime.scores) != tasks:
        return (f"planned on {', '.join(regime.scores)} and not on the suite's tasks",)
    count = seeds(regime.cells)
    if count >= LEAST:
        return ()
    return (f"{'1 seed' if count == 1 else f'{count} seeds'} a task, {LEAST} are needed",)
