"""What a study says of the claims it tests: supported, refuted or undecided, with the statistic.

The claims of a suite are one family: p values are adjusted by Holm, and nothing is called decided
above 0.05. A claim about an order needs a difference on its side; a difference on the other side
refutes it. That a figure agrees with a published one is supported where the interval of the
difference holds zero and is no wider than a fifth of the published mean on either side.

A failed run counts as its task's floor. Nothing is decided of a regime that lacks a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from leaderboard.formats.records import EvaluationRecord
from leaderboard.formats.suite import Claim
from leaderboard.statistics.references import ENVIRONMENT_STEPS, METHODS
from leaderboard.statistics.scores import Scored
from leaderboard.statistics.stats import (
    NOTHING,
    Difference,
    difference,
    holm,
    mean_interval,
    spread_ratio,
    with_error,
)

LEVEL = 0.05
NARROW = 0.2
"""Half width of an interval, as a share of the published mean, up to which zero inside it counts as
agreement."""

Figures = Mapping[tuple[str, str], Sequence[float]]
"""(task, regime) -> one figure of each seed."""
Evaluations = Mapping[str, EvaluationRecord]
"""Name of a run -> its last evaluation, if it has one."""


@dataclass(frozen=True)
class Finding:
    """A claim and what came of it."""

    claim: str
    compared: str
    """What was compared, in words."""
    statistic: str
    verdict: str
    """supported, refuted or undecided"""


def findings(
    claims: Sequence[Claim], runs: Sequence[Scored], last: Evaluations, budget: int
) -> list[Finding]:
    """The claims of a plan, tested on its planned runs and their last evaluations; `budget`:
    environment steps of a run."""
    tasks = list(dict.fromkeys(run.task for run in runs))
    figures = {claim.figure: _figures(claim.figure, runs, last) for claim in claims}
    lacking = [_lacking(claim, runs) for claim in claims]
    tests = [
        NOTHING if lacks else _test(claim, figures[claim.figure], tasks, budget)
        for claim, lacks in zip(claims, lacking, strict=True)
    ]
    adjusted = holm([test.p for test in tests])

    tested = []
    for claim, lacks, test, p in zip(claims, lacking, tests, adjusted, strict=True):
        compared = f"{claim.figure} of {claim.regime} {claim.relation} {claim.than}"
        verdict = _verdict(claim, test, p, _published_mean(claim, tasks))
        statistic = f"runs of {lacks} are missing" if lacks else _statistic(claim, test, p)
        tested.append(Finding(claim.claim, compared, statistic, verdict))
    return tested


def _lacking(claim: Claim, runs: Sequence[Scored]) -> str:
    """The regimes of a claim that lack a run, in words; empty: none does."""
    incomplete = {run.regime for run in runs if run.missing}
    return " and ".join(name for name in (claim.regime, claim.than) if name in incomplete)


def _figures(
    name: str, runs: Sequence[Scored], last: Evaluations
) -> dict[tuple[str, str], list[float]]:
    """One figure of each run that has it; lost returns count as the floor."""
    figures: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        evaluation = last.get(run.name)
        if name in ("score", "spread") or (name == "last" and run.lost):
            value = run.counted
        else:
            value = _last_figure(name, evaluation) if evaluation else None
        if value is not None:
            figures.setdefault((run.task, run.regime), []).append(value)
    return figures


def _last_figure(name: str, evaluation: EvaluationRecord) -> float | None:
    """`last`, the mean return, or MODULE.DIAGNOSTIC; None where the evaluation has none."""
    if name == "last":
        return evaluation.mean_return
    module, _, figure = name.partition(".")
    return evaluation.diagnostics.get(module, {}).get(figure)


def _test(claim: Claim, figures: Figures, tasks: list[str], budget: int) -> Difference:
    """The difference that the claim is about, over all tasks."""
    ours = [figures.get((task, claim.regime), []) for task in tasks]
    if claim.than in METHODS:
        return _against_published(claim.than, ours, tasks, budget)
    theirs = [figures.get((task, claim.than), []) for task in tasks]
    if not all(len(cell) > 1 for cell in (*ours, *theirs)):
        return NOTHING

    # Spreads are of scores about their task's mean, so that tasks can be pooled.
    if claim.figure == "spread":
        return spread_ratio(_centred(ours), _centred(theirs))
    return difference(ours, theirs)


def _centred(cells: Sequence[Sequence[float]]) -> list[float]:
    """Deviations of all values from the mean of their cell."""
    deviations = []
    for cell in cells:
        mean = mean_interval(cell).mean
        deviations += [value - mean for value in cell]
    return deviations


def _against_published(
    method: str, ours: Sequence[Sequence[float]], tasks: list[str], budget: int
) -> Difference:
    """Mean over tasks less the published one; both means have errors."""
    published = METHODS[method]
    same_budget = budget == ENVIRONMENT_STEPS
    same_tasks = all(task in published.returns for task in tasks)
    if not same_budget or not same_tasks or not all(len(cell) > 1 for cell in ours):
        return NOTHING

    cells = [mean_interval(cell) for cell in ours]
    theirs = [published.returns[task] for task in tasks]
    gaps = [cell.mean - mean for cell, (mean, _) in zip(cells, theirs, strict=True)]

    # A 95 percent half width is t(0.975, n - 1) standard errors.
    errors_wide = float(stdtrit(published.seeds - 1, 0.975))
    terms = [(cell.deviation**2 / cell.n, cell.n) for cell in cells]
    terms += [((half / errors_wide) ** 2, published.seeds) for _, half in theirs]

    # Welch and Satterthwaite's degrees of freedom.
    variance = math.fsum(term for term, _ in terms)
    freedom = variance**2 / math.fsum(term**2 / (n - 1) for term, n in terms)
    return with_error(math.fsum(gaps) / len(tasks), math.sqrt(variance) / len(tasks), freedom)


def _published_mean(claim: Claim, tasks: list[str]) -> float:
    """Mean of a method's published returns on these tasks; 0 for a regime, with which nothing is
    said to agree."""
    returns = METHODS[claim.than].returns if claim.than in METHODS else {}
    return math.fsum(returns.get(task, (0.0, 0.0))[0] for task in tasks) / len(tasks)


def _statistic(claim: Claim, test: Difference, p: float) -> str:
    """The test in words."""
    if math.isnan(test.p):
        published = ", or another budget than the published one" if claim.than in METHODS else ""
        return f"not enough runs{published}"
    measure = "ratio" if claim.figure == "spread" else "difference"
    return f"{measure} {test.value:.3g} ({test.low:.3g} to {test.high:.3g}), Holm p {p:.2g}"


def _verdict(claim: Claim, test: Difference, p: float, published_mean: float) -> str:
    if math.isnan(test.p):
        return "undecided"
    if claim.relation == "agrees":
        narrow = test.high - test.low <= 2.0 * NARROW * published_mean
        if p < LEVEL:
            return "refuted"
        return "supported" if narrow else "undecided"
    if not p < LEVEL:
        return "undecided"
    even = 1.0 if claim.figure == "spread" else 0.0
    return "supported" if (test.value > even) == (claim.relation == "above") else "refuted"
