"""The regression gate: did learning get worse? PASS, FAIL or INCONCLUSIVE, from the scores of two sets of runs.

A cell is one task under one regime; its scores are those of its seeds, a failed run scoring nothing. FAIL: a cell is below its
baseline, one-sided Welch with Holm over the cells at ALPHA, by more than the tolerance. PASS: every cell is shown to keep the
margin, its lower bound above (1 - MARGIN) of the baseline at MARGIN_LEVEL. Everything between is INCONCLUSIVE, with the seeds
that would probably decide it. Nothing here knows why scores changed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from scipy.special import stdtr, stdtrit

from leaderboard.formats.run import StatedRun
from leaderboard.statistics.stats import holm, mean_interval

ALPHA, TOLERANCE = 0.01, 0.05
MARGIN, MARGIN_LEVEL = 0.2, 0.05
MOST_SEEDS = 100
"""More are not asked for."""

Word = Literal["PASS", "FAIL", "INCONCLUSIVE"]
Cells = Mapping[str, Sequence[float]]
"""`task/regime` -> scores of its seeds."""


@dataclass(frozen=True)
class CellVerdict:
    """One cell of the gate."""

    cell: str
    baseline: float
    candidate: float
    p: float
    """Of no loss, one-sided, adjusted by Holm over the cells."""
    lower: float
    """Lower bound of candidate - (1 - margin) baseline, at MARGIN_LEVEL."""
    word: Word
    more_seeds: int
    """Seeds that the candidate would probably need in addition; 0 where it is decided."""

    @property
    def change(self) -> float:
        """Of the mean, as a share of the baseline."""
        return self.candidate / self.baseline - 1.0 if self.baseline else math.nan


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a candidate."""

    word: Word
    cells: tuple[CellVerdict, ...]

    @property
    def more_seeds(self) -> int:
        """Seeds that the candidate would probably need in addition, in every cell."""
        return max((cell.more_seeds for cell in self.cells), default=0)


def scores(runs: Sequence[StatedRun]) -> dict[str, list[float]]:
    """Cells of the runs that an entry states. A run that failed scores nothing; missing ones are
    the caller's to refuse."""
    cells = dict[str, list[float]]()
    for run in runs:
        cells.setdefault(run.group, []).append(0.0 if run.score is None else run.score)
    return cells


def judge(
    baseline: Cells,
    candidate: Cells,
    tolerance: float = TOLERANCE,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> Verdict:
    """The verdict on cells that both have, with two seeds or more on each side."""
    names = list(baseline)
    adjusted = holm([_p_of_no_loss(baseline[name], candidate[name]) for name in names])
    cells = [
        _cell(name, baseline[name], candidate[name], p, tolerance, margin, alpha)
        for name, p in zip(names, adjusted, strict=True)
    ]
    words = {cell.word for cell in cells}
    word: Word = (
        "FAIL" if "FAIL" in words else "INCONCLUSIVE" if "INCONCLUSIVE" in words else "PASS"
    )
    return Verdict(word, tuple(cells))


def _cell(
    name: str,
    baseline: Sequence[float],
    candidate: Sequence[float],
    p: float,
    tolerance: float,
    margin: float,
    alpha: float,
) -> CellVerdict:
    old, new = mean_interval(baseline), mean_interval(candidate)
    keep = 1.0 - margin
    value = new.mean - keep * old.mean
    lower = value - _half(*_error(baseline, candidate, keep))
    if p < alpha and new.mean < (1.0 - tolerance) * old.mean:
        return CellVerdict(name, old.mean, new.mean, p, lower, "FAIL", 0)
    if lower > 0.0:
        return CellVerdict(name, old.mean, new.mean, p, lower, "PASS", 0)
    return CellVerdict(
        name,
        old.mean,
        new.mean,
        p,
        lower,
        "INCONCLUSIVE",
        _more_seeds(baseline, candidate, keep, value),
    )


def _p_of_no_loss(baseline: Sequence[float], candidate: Sequence[float]) -> float:
    """One-sided Welch: probability of a difference as low if nothing was lost."""
    error, freedom = _error(baseline, candidate, 1.0)
    value = mean_interval(candidate).mean - mean_interval(baseline).mean
    if error == 0.0:
        return 0.0 if value < 0.0 else 1.0
    return float(stdtr(freedom, value / error))


def _error(
    baseline: Sequence[float], candidate: Sequence[float], weight: float
) -> tuple[float, float]:
    """Standard error and degrees of freedom of mean(candidate) - weight mean(baseline)."""
    old, new = mean_interval(baseline), mean_interval(candidate)
    terms = [(weight**2 * old.deviation**2 / old.n, old.n), (new.deviation**2 / new.n, new.n)]
    variance = math.fsum(term for term, _ in terms)
    if variance == 0.0:
        return 0.0, 1.0
    return math.sqrt(variance), variance**2 / math.fsum(term**2 / (n - 1) for term, n in terms)


def _half(error: float, freedom: float) -> float:
    return float(stdtrit(freedom, 1.0 - MARGIN_LEVEL)) * error


def _more_seeds(
    baseline: Sequence[float], candidate: Sequence[float], keep: float, value: float
) -> int:
    """Seeds of the candidate after which the lower bound would be above zero, if mean and spread stay as they are."""
    old, new = mean_interval(baseline), mean_interval(candidate)
    for more in range(1, MOST_SEEDS):
        error = math.sqrt(keep**2 * old.deviation**2 / old.n + new.deviation**2 / (new.n + more))
        if value - _half(error, old.n + new.n + more - 2.0) > 0.0:
            return more
    return MOST_SEEDS


def calibration() -> dict[str, Any]:
    """How often the gate is wrong, as measured on `ci-tiny` (benchmarks/gate_calibration.py made the file)."""
    text = (
        resources.files("leaderboard.statistics")
        .joinpath("gate-calibration.json")
        .read_text(encoding="utf-8")
    )
    found: dict[str, Any] = json.loads(text)
    return found


def calibration_line() -> str:
    """The same in one line, printed with each verdict."""
    found = calibration()
    low, high = found["false_alarm_interval"]
    return (
        f"measured on {found['suite']}, {found['baseline_seeds']} against {found['candidate_seeds']} seeds: false alarms"
        f" {found['false_alarms']}/{found['comparisons']} (95% CI {low:.1%} to {high:.1%}), inconclusive"
        f" {found['inconclusive']}/{found['comparisons']}, a planted {found['planted_drop']:.0%} drop found"
        f" {found['found']}/{found['comparisons']}"
    )
