"""The regression gate: did learning get worse? Compares the scores of two sets of runs.

A cell is one task under one regime, with the scores of its seeds; a failed run scores the floor of
its task.

FAIL: a cell is significantly below its baseline (one-sided Welch test at ALPHA, Holm over the
cells), and by more than the tolerance.
PASS: every cell is shown to keep the margin: the lower bound of its mean, at MARGIN_LEVEL, is above
(1 - MARGIN) times the baseline.
INCONCLUSIVE: everything between, with the number of seeds that would probably decide it.

The gate does not know why scores changed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from scipy.special import stdtr, stdtrit

from leaderboard.formats.run import StatedRun
from leaderboard.statistics.scores import counted
from leaderboard.statistics.stats import holm, mean_interval

ALPHA = 0.01
"""Level of the tests for a loss."""
TOLERANCE = 0.05
"""Loss of the mean, as a share of the baseline, that is never a FAIL."""
MARGIN = 0.2
"""Loss of the mean, as a share of the baseline, that a PASS rules out."""
MARGIN_LEVEL = 0.05
"""Level of the lower bound that rules it out."""
DEFAULTS = (TOLERANCE, MARGIN, ALPHA)
"""The limits that error rates were measured with."""
MOST_SEEDS = 100
"""Largest number of additional seeds that a verdict proposes."""

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
    """One-sided p value of no loss, adjusted by Holm over the cells."""
    lower: float
    """Lower bound of candidate - (1 - margin) baseline, at MARGIN_LEVEL."""
    word: Word
    more_seeds: int
    """Seeds that the candidate would probably need in addition; 0 for a decided cell."""

    @property
    def change(self) -> float:
        """Change of the mean, as a share of the baseline."""
        return self.candidate / self.baseline - 1.0 if self.baseline else math.nan


@dataclass(frozen=True)
class Verdict:
    """The gate's verdict on a candidate."""

    word: Word
    cells: tuple[CellVerdict, ...]

    @property
    def more_seeds(self) -> int:
        """Seeds that the candidate would probably need in addition, in every cell."""
        return max((cell.more_seeds for cell in self.cells), default=0)

    def keeps(self, margin: float = MARGIN) -> bool:
        """Whether the figures bear out that nothing changed: no FAIL, every mean above the margin.
        A mean of 0 never is."""
        above = [cell.candidate > (1.0 - margin) * cell.baseline for cell in self.cells]
        return self.word != "FAIL" and all(above)


def scores(runs: Iterable[StatedRun]) -> dict[str, list[float]]:
    """Cells of the runs that an entry states.

    A failed run scores the floor of its task. The caller must refuse entries with missing runs.
    """
    cells = dict[str, list[float]]()
    for run in runs:
        cells.setdefault(run.group, []).append(counted(run))
    return cells


def judge(
    baseline: Cells,
    candidate: Cells,
    tolerance: float = TOLERANCE,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> Verdict:
    """The verdict on cells that both sides have, with at least two seeds on each side."""
    names = list(baseline)
    adjusted = holm([_p_of_no_loss(baseline[name], candidate[name]) for name in names])
    cells = [
        _cell(name, baseline[name], candidate[name], p, tolerance, margin, alpha)
        for name, p in zip(names, adjusted, strict=True)
    ]

    # The worst cell decides.
    words = {cell.word for cell in cells}
    worst: Word = "PASS"
    if "FAIL" in words:
        worst = "FAIL"
    elif "INCONCLUSIVE" in words:
        worst = "INCONCLUSIVE"
    return Verdict(worst, tuple(cells))


def _cell(
    name: str,
    baseline: Sequence[float],
    candidate: Sequence[float],
    p: float,
    tolerance: float,
    margin: float,
    alpha: float,
) -> CellVerdict:
    old = mean_interval(baseline)
    new = mean_interval(candidate)

    # What is left above the margin, and its lower bound.
    keep = 1.0 - margin
    value = new.mean - keep * old.mean
    lower = value - _half(*_error(baseline, candidate, keep))

    # A loss that is certain and large fails, even where it stays within the margin.
    word: Word = "INCONCLUSIVE"
    more_seeds = 0
    if p < alpha and new.mean < (1.0 - tolerance) * old.mean:
        word = "FAIL"
    elif lower > 0.0:
        word = "PASS"
    else:
        more_seeds = _more_seeds(baseline, candidate, keep, value)
    return CellVerdict(name, old.mean, new.mean, p, lower, word, more_seeds)


def _p_of_no_loss(baseline: Sequence[float], candidate: Sequence[float]) -> float:
    """One-sided Welch test: probability of a difference as low as this if nothing was lost."""
    error, freedom = _error(baseline, candidate, 1.0)
    value = mean_interval(candidate).mean - mean_interval(baseline).mean
    if error == 0.0:
        return 0.0 if value < 0.0 else 1.0
    return float(stdtr(freedom, value / error))


def _error(
    baseline: Sequence[float], candidate: Sequence[float], weight: float
) -> tuple[float, float]:
    """Standard error and degrees of freedom of mean(candidate) - weight mean(baseline)."""
    old = mean_interval(baseline)
    new = mean_interval(candidate)
    terms = [(weight**2 * old.deviation**2 / old.n, old.n), (new.deviation**2 / new.n, new.n)]
    variance = math.fsum(term for term, _ in terms)
    if variance == 0.0:
        return 0.0, 1.0

    # Welch and Satterthwaite's degrees of freedom.
    freedom = variance**2 / math.fsum(term**2 / (n - 1) for term, n in terms)
    return math.sqrt(variance), freedom


def _half(error: float, freedom: float) -> float:
    """Distance between an estimate and its one-sided bound at MARGIN_LEVEL."""
    return float(stdtrit(freedom, 1.0 - MARGIN_LEVEL)) * error


def _more_seeds(
    baseline: Sequence[float], candidate: Sequence[float], keep: float, value: float
) -> int:
    """Additional seeds that would lift the lower bound above zero, if mean and spread stay."""
    old = mean_interval(baseline)
    new = mean_interval(candidate)
    for more in range(1, MOST_SEEDS):
        error = math.sqrt(keep**2 * old.deviation**2 / old.n + new.deviation**2 / (new.n + more))
        if value - _half(error, old.n + new.n + more - 2.0) > 0.0:
            return more
    return MOST_SEEDS


def calibration() -> dict[str, Any]:
    """Measured error rates of the gate on `ci-tiny`; benchmarks/gate_calibration.py writes them."""
    path = resources.files("leaderboard.statistics").joinpath("gate-calibration.json")
    rates: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return rates


def calibration_line(suite: str, seeds: Iterable[int], defaults: bool = True) -> str:
    """How often the gate is wrong, in one line: only where that was measured.

    `suite`: name and version of the baseline's, as calibrated; `seeds`: of every cell of both
    sides; `defaults`: whether the gate's own limits hold.
    """
    rates = calibration()
    measured = f"{rates['suite']}, {rates['baseline_seeds']} against {rates['candidate_seeds']}"
    sizes = {rates["baseline_seeds"], rates["candidate_seeds"]}
    if suite != rates["suite"]:
        return f"the error rates of this suite were not measured, only those of {measured} seeds"
    if set(seeds) != sizes or not defaults:
        return f"the error rates were measured with other seeds or limits: on {measured} seeds"

    low, high = rates["false_alarm_interval"]
    comparisons = rates["comparisons"]
    return (
        f"measured on {measured} seeds:"
        f" false alarms {rates['false_alarms']}/{comparisons} (95% CI {low:.1%} to {high:.1%}),"
        f" {rates['false_alarms_unconfirmed']}/{comparisons} before confirmation,"
        f" inconclusive {rates['inconclusive']}/{comparisons},"
        f" a planted {rates['planted_drop']:.0%} drop found {rates['found']}/{comparisons}"
    )
