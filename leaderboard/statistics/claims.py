"""What a study says of the claims it tests: supported, refuted or undecided, with the statistic.

The claims of a suite are one family: p values are adjusted by Holm, and nothing is called decided above 0.05. A claim about an
order needs a difference on its side; a difference on the other side refutes it. That a figure agrees with a published one is
supported where the interval of the difference holds zero and is no wider than a fifth of the published mean on either side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from leaderboard.formats.records import read_evaluations
from leaderboard.statistics.references import ENVIRONMENT_STEPS, METHODS
from leaderboard.statistics.stats import (
    Difference,
    difference,
    holm,
    mean_interval,
    spread_ratio,
    with_error,
)

LEVEL = 0.05
NARROW = 0.2
"""Half width of an interval, as a share of the published mean, up to which zero inside it counts as agreement."""

Figures = Mapping[tuple[str, str], Sequence[float]]
"""(task, regime) -> one figure of each seed."""


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
    claims: Sequence[Mapping[str, str]], runs: list[dict[str, Any]], folder: Path, budget: int
) -> list[Finding]:
    """The claims of a plan, tested on the runs of its entry; `budget`: environment steps of a run."""
    tasks = list(dict.fromkeys(run["task"] for run in runs))
    needed = {claim["figure"]: _figures(claim["figure"], runs, folder) for claim in claims}
    tests = [_test(claim, needed[claim["figure"]], tasks, budget) for claim in claims]
    adjusted = holm([test.p for test in tests])
    return [
        Finding(
            claim["claim"],
            _compared(claim),
            _statistic(claim, test, p),
            _verdict(claim, test, p, _level(claim, tasks)),
        )
        for claim, test, p in zip(claims, tests, adjusted, strict=True)
    ]


def _figures(
    name: str, runs: list[dict[str, Any]], folder: Path
) -> dict[tuple[str, str], list[float]]:
    """One figure of each run that has it."""
    found = dict[tuple[str, str], list[float]]()
    recorded = (
        read_evaluations(folder, runs) if name not in ("score", "spread") else [None] * len(runs)
    )
    for run, curve in zip(runs, recorded, strict=True):
        value = run["score"] if curve is None else _last(name, curve.evaluations)
        if value is not None:
            found.setdefault((run["task"], run["regime"]), []).append(value)
    return found


def _last(name: str, evaluations: list[dict[str, Any]]) -> float | None:
    """A figure of a run's last evaluation; None where it has none (a signed record is read as it comes)."""
    module, _, figure = name.partition(".")
    try:
        last = evaluations[-1]
        value = float(
            math.fsum(last["returns"]) / len(last["returns"])
            if name == "last"
            else last["diagnostics"][module][figure]
        )
    except (IndexError, KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return value if math.isfinite(value) else None


NOTHING = Difference(math.nan, math.nan, math.nan, math.nan)


def _test(claim: Mapping[str, str], figures: Figures, tasks: list[str], budget: int) -> Difference:
    ours = [figures.get((task, claim["regime"]), []) for task in tasks]
    if claim["than"] in METHODS:
        return _against_published(claim["than"], ours, tasks, budget)
    theirs = [figures.get((task, claim["than"]), []) for task in tasks]
    if not all(len(cell) > 1 for cell in (*ours, *theirs)):
        return NOTHING
    if (
        claim["figure"] == "spread"
    ):  # of scores about their task's mean, so that tasks can be pooled
        return spread_ratio(_centred(ours), _centred(theirs))
    return difference(ours, theirs)


def _centred(cells: Sequence[Sequence[float]]) -> list[float]:
    return [value - mean_interval(cell).mean for cell in cells for value in cell]


def _against_published(
    method: str, ours: Sequence[Sequence[float]], tasks: list[str], budget: int
) -> Difference:
    """Mean over tasks less the published one; both means have errors."""
    published = METHODS[method]
    if (
        budget != ENVIRONMENT_STEPS
        or not all(task in published.returns for task in tasks)
        or not all(len(c) > 1 for c in ours)
    ):
        return NOTHING
    cells = [mean_interval(cell) for cell in ours]
    theirs = [published.returns[task] for task in tasks]
    value = math.fsum(
        cell.mean - mean for cell, (mean, _) in zip(cells, theirs, strict=True)
    ) / len(tasks)
    errors_wide = float(stdtrit(published.seeds - 1, 0.975))
    terms = [(cell.deviation**2 / cell.n, cell.n) for cell in cells]
    terms += [((half / errors_wide) ** 2, published.seeds) for _, half in theirs]
    variance = math.fsum(term for term, _ in terms)
    freedom = variance**2 / math.fsum(term**2 / (n - 1) for term, n in terms)
    return with_error(value, math.sqrt(variance) / len(tasks), freedom)


def _level(claim: Mapping[str, str], tasks: list[str]) -> float:
    """Mean of a method's published returns on these tasks; 0 for a regime, with which nothing is said to agree."""
    returns = METHODS[claim["than"]].returns if claim["than"] in METHODS else {}
    return math.fsum(returns.get(task, (0.0, 0.0))[0] for task in tasks) / len(tasks)


def _compared(claim: Mapping[str, str]) -> str:
    return f"{claim['figure']} of {claim['regime']} {claim['relation']} {claim['than']}"


def _statistic(claim: Mapping[str, str], test: Difference, p: float) -> str:
    if math.isnan(test.p):
        return (
            "not enough runs"
            if claim["than"] not in METHODS
            else "not enough runs, or another budget than the published one"
        )
    what = "ratio" if claim["figure"] == "spread" else "difference"
    return f"{what} {test.value:.3g} ({test.low:.3g} to {test.high:.3g}), Holm p {p:.2g}"


def _verdict(claim: Mapping[str, str], test: Difference, p: float, level: float) -> str:
    """`level`: what the claim's regime is compared with, on average over the tasks."""
    if math.isnan(test.p):
        return "undecided"
    if claim["relation"] == "agrees":
        narrow = test.high - test.low <= 2.0 * NARROW * level
        return "refuted" if p < LEVEL else "supported" if narrow else "undecided"
    even = 1.0 if claim["figure"] == "spread" else 0.0
    if not p < LEVEL:
        return "undecided"
    return "supported" if (test.value > even) == (claim["relation"] == "above") else "refuted"
