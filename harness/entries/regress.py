"""`regress`: did a change break learning?

The learning gate asks in turn whether two folders are comparable, whether they are identical, and
what statistics say of the scores; fresh seeds confirm a FAIL. Speed and memory have gates of their
own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.entries.sides import Side, changed, same_results, side, sides
from harness.planning.plan import Plan
from leaderboard.formats.plan import SUITE_SOURCE
from leaderboard.formats.run import StatedRun
from leaderboard.statistics import gate


@dataclass(frozen=True)
class Gate:
    """One gate and its verdict."""

    name: str
    word: gate.Word | str
    """PASS, FAIL, INCONCLUSIVE, or `not compared`."""
    detail: str


@dataclass(frozen=True)
class Limits:
    """How strict the gates are."""

    tolerance: float = gate.TOLERANCE
    margin: float = gate.MARGIN
    alpha: float = gate.ALPHA
    speed: float | None = None
    """Largest loss of training speed, as a share; None: measured, and no gate."""
    memory: float | None = None
    """Largest growth of memory, as a share; None: measured, and no gate."""


@dataclass(frozen=True)
class Outcome:
    """The verdict of `regress`, and what it rests on."""

    word: gate.Word
    gates: list[Gate]
    cells: tuple[gate.CellVerdict, ...]
    """Of the learning gate, one for each task and regime."""
    more_seeds: int
    """Seeds that would decide an INCONCLUSIVE, about; otherwise 0."""
    calibration: str
    """How often the gate is wrong on this suite, or that nobody measured it."""


Confirm = Callable[[Plan, int], Path]
"""Called with a plan and the members of a cohort: carries it out and returns its folder."""


@dataclass(frozen=True)
class _Learning:
    """The learning gate, with the cells that it judged."""

    verdict: Gate
    cells: tuple[gate.CellVerdict, ...] = ()
    more_seeds: int = 0


def regress(
    baseline: Path, candidate: Path, limits: Limits, confirm: Confirm | None, canary: bool = True
) -> Outcome:
    """The verdict on two plan folders, or on a baseline and a plan folder.

    `confirm` carries a plan with fresh seeds out, once, before a FAIL counts. `canary`: whether an
    identical candidate passes where statistics do not decide.

    Raises Refused for an entry that does not verify, NonConforming if the two are not comparable,
    Incomplete if runs are missing.
    """
    old, new = sides(baseline, candidate)
    learning = _learning(old, new, limits, confirm, canary)
    gates = [learning.verdict, _speed(old, new, limits.speed), _memory(old, new, limits.memory)]
    rates = _error_rates(old, new, limits)
    return Outcome(_worst(gates), gates, learning.cells, learning.more_seeds, rates)


def _worst(gates: list[Gate]) -> gate.Word:
    """FAIL before INCONCLUSIVE before PASS."""
    words = [verdict.word for verdict in gates]
    if "FAIL" in words:
        return "FAIL"
    return "INCONCLUSIVE" if "INCONCLUSIVE" in words else "PASS"


def _learning(
    old: Side, new: Side, limits: Limits, confirm: Confirm | None, canary: bool
) -> _Learning:
    """Identical, or else what statistics say: a FAIL of theirs stands whatever is identical."""
    if not canary:
        return _judged(old, new, limits, confirm)
    if same_results(old, new):
        return _Learning(Gate("learning", "PASS", "identical: the same runs gave the same results"))

    # Equal code cannot have become worse, unless figures say so.
    verdict = _verdict(old, new.runs, limits)
    if verdict.keeps(limits.margin) and not changed(old, new):
        detail = (
            "identical: code, versions, plan, simulation and canary are the baseline's, and no"
            f" mean is lower by {limits.margin:.0%}; {_in_words(verdict)}"
        )
        return _Learning(Gate("learning", "PASS", detail), verdict.cells)
    return _judged(old, new, limits, confirm)


def _judged(old: Side, new: Side, limits: Limits, confirm: Confirm | None) -> _Learning:
    """Statistics on the scores; a FAIL is confirmed where it can be."""
    verdict = _verdict(old, new.runs, limits)

    # A FAIL may be chance: it counts once fresh seeds fail too.
    if verdict.word == "FAIL" and confirm is not None:
        # Cohorts of the same size round the same way, and their speeds compare.
        members = max(run.members for run in new.runs)
        folder = confirm(_fresh_seeds(old.plan, new.plan), members)
        return _confirmed(old, new, limits, folder)
    learning = Gate("learning", verdict.word, _in_words(verdict))
    return _Learning(learning, verdict.cells, verdict.more_seeds)


def _verdict(old: Side, runs: Iterable[StatedRun], limits: Limits) -> gate.Verdict:
    """The gate's verdict on runs beside those of the baseline."""
    return gate.judge(
        old.cells,
        gate.scores(tuple(runs)),
        limits.tolerance,
        limits.margin,
        limits.alpha,
    )


def _in_words(verdict: gate.Verdict) -> str:
    """The cell with the largest loss, and what would decide it."""
    worst = min(verdict.cells, key=lambda cell: 0.0 if math.isnan(cell.change) else cell.change)
    sentence = f"largest change {worst.change:+.1%} in {worst.cell} (Holm p {worst.p:.2g})"
    if verdict.word == "INCONCLUSIVE":
        sentence += f"; about {verdict.more_seeds} more seeds would decide it"
    return sentence


def _fresh_seeds(old: Plan, new: Plan) -> Plan:
    """The candidate's plan on seeds that neither side has used."""
    first = 1 + max(run.seed for run in (*old.runs, *new.runs))
    least = min(run.seed for run in new.runs)
    runs = tuple(replace(run, seed=run.seed - least + first) for run in new.runs)
    changes = (*new.suite.changes, f"confirmation on seeds from {first}")
    fresh = replace(new, runs=runs, seed_source=SUITE_SOURCE)  # nobody registered these
    return fresh.called(new.suite.name, changes)


def _confirmed(old: Side, new: Side, limits: Limits, folder: Path) -> _Learning:
    """A FAIL counts if fresh seeds fail too. If only the seeds of both attempts together fail, the
    outcome is INCONCLUSIVE."""
    again = side(folder)
    fresh = _verdict(old, again.runs, limits)
    both = _verdict(old, (*new.runs, *again.runs), limits)
    if fresh.word == "FAIL":
        detail = f"confirmed on fresh seeds: {_in_words(fresh)}"
        return _Learning(Gate("learning", "FAIL", detail), both.cells)

    # The first attempt was chance, or the loss is too small for this many seeds.
    word: gate.Word = "INCONCLUSIVE" if both.word == "FAIL" else both.word
    detail = (
        f"the first attempt failed, fresh seeds did not ({fresh.word}); together: {_in_words(both)}"
    )
    return _Learning(Gate("learning", word, detail), both.cells, both.more_seeds)


def _error_rates(old: Side, new: Side, limits: Limits) -> str:
    """How often the gate is wrong on this suite with these seeds, as far as it was measured."""
    suite = old.stated.suite
    name = f"{suite.name} version {suite.version}"
    if suite.changes:
        name += ", changed"
    seeds = [len(scores) for each in (old, new) for scores in each.cells.values()]
    own = (limits.tolerance, limits.margin, limits.alpha)
    return gate.calibration_line(name, seeds, own == gate.DEFAULTS)


def _speed(old: Side, new: Side, limit: float | None) -> Gate:
    """Agent steps a second of training and simulating, median over the runs; only on the same
    hardware and with cohorts of the same sizes."""
    if old.stated.hardware != new.stated.hardware:
        return Gate("speed", "not compared", "other hardware")

    # A larger cohort steps slower and trains more members a step.
    before_members = _cohort_sizes(old)
    members = _cohort_sizes(new)
    if before_members != members:
        return Gate("speed", "not compared", f"cohorts of {before_members} and {members} members")

    # The gate
    after = _rate(new)
    change = after / _rate(old) - 1.0
    word = "FAIL" if limit is not None and change < -limit else "PASS"
    allowed = "no limit was given" if limit is None else f"at most -{limit:.0%} allowed"
    return Gate("speed", word, f"{after:.1f} agent steps/s a cohort, {change:+.1%} ({allowed})")


def _cohort_sizes(side: Side) -> list[int]:
    """Sizes of the cohorts that a side's runs were trained in."""
    return sorted({run.members for run in side.runs})


def _rate(side: Side) -> float:
    """Agent steps a second of a side's cohorts."""
    seconds = [
        timing.seconds.get("train", 0.0) + timing.seconds.get("env", 0.0)
        for timing in side.timings()
    ]
    return side.plan.budget.agent_steps / max(1e-9, statistics.median(seconds))


def _memory(old: Side, new: Side, limit: float | None) -> Gate:
    """Largest resident memory of any cohort."""
    after = _peak_mib(new)
    change = after / _peak_mib(old) - 1.0
    word = "FAIL" if limit is not None and change > limit else "PASS"
    allowed = "no limit was given" if limit is None else f"at most +{limit:.0%} allowed"
    return Gate("memory", word, f"{after:.0f} MiB, {change:+.1%} ({allowed})")


def _peak_mib(side: Side) -> float:
    """Largest resident memory of a side's cohorts."""
    return max(timing.peak_memory_mib for timing in side.timings())
