"""What a study says of the claims it tests: supported, refuted or undecided, with the statistic.

Every claim was declared before any run: its figure, rule and margin, and whether runs of equal
seeds are pairs. The claims of a family are adjusted together by Holm, each family by itself, and
nothing is called decided at an adjusted p value of 0.05 or more.

A failed run counts as its task's floor; the same without such runs stands beside it, and decides
nothing. Nothing is decided of a regime that lacks a run, or the figure of a run: whoever left it
out may have seen it, and what cannot be measured is rarely like what can.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

from leaderboard.formats.suite import LOSSES, ZERO, Claim
from leaderboard.statistics import measures, rules
from leaderboard.statistics.intervals import interval
from leaderboard.statistics.measures import Cells, Comparison, Measure
from leaderboard.statistics.references import ENVIRONMENT_STEPS, METHODS, PUBLISHED, Method
from leaderboard.statistics.rules import UNTESTED, Outcome, Verdict
from leaderboard.statistics.scores import Scored
from leaderboard.statistics.stats import Mean, holm

RunFigures = Mapping[str, Mapping[str, float]]
"""Name of a run -> figure -> value (figures.py)."""
Seeds = dict[int, float]
"""Seed -> figure."""
Sides = tuple[Cells, Cells]
"""The figures of a claim's regime, and of what it is compared with."""

MEASURES: dict[tuple[str, bool], Measure] = {
    ("share", False): measures.shares,
    ("share", True): measures.paired_shares,
    ("own", False): measures.differences,
    ("own", True): measures.paired_differences,
}
"""Unit of a margin and whether runs are paired -> how means are compared."""
SHARES = (measures.shares, measures.paired_shares)
"""Measures whose figures are told in percent."""
FEWEST = {"spread": 3}
"""Figure -> fewest seeds that it can be estimated from; two of any other."""

LEVEL_ZERO = Mean(2, 0.0, 0.0, 0.0)
"""What `zero` stands for: the mean of seeds that are all zero, of any number of them."""


@dataclass(frozen=True)
class Finding:
    """A claim and what came of it."""

    claim: Claim
    compared: str
    """What was compared, in words."""
    statistic: str
    finished: str
    """The statistic without failed runs; empty where there are none."""
    verdict: Verdict


def findings(
    claims: Sequence[Claim], runs: Sequence[Scored], figures: RunFigures, budget: int
) -> list[Finding]:
    """The claims of a plan, tested on its planned runs and their figures; `budget`: environment
    steps of a run."""
    tasks = list(dict.fromkeys(run.task for run in runs))
    lacking = [_lacking(claim, runs, figures) for claim in claims]
    sides = [
        None if lacks else cells(claim, runs, figures, tasks, budget)
        for claim, lacks in zip(claims, lacking, strict=True)
    ]
    outcomes = [outcome(claim, both) for claim, both in zip(claims, sides, strict=True)]
    adjusted = adjust(claims, outcomes)

    # Beside each: the same without the runs that failed.
    remaining = [run for run in runs if not run.lost]
    tested = []
    rows = zip(claims, lacking, sides, outcomes, adjusted, strict=True)
    for claim, lacks, both, result, p in rows:
        statistic = lacks or in_words(claim, both, result, p, tasks)
        finished = ""
        if claim.figure != "failures" and not lacks and _failed(claim, runs):
            left = cells(claim, remaining, figures, tasks, budget)
            finished = in_words(claim, left, outcome(claim, left), math.nan, tasks)
        verdict = result.verdict(p)
        tested.append(Finding(claim, compared(claim), statistic, finished, verdict))
    return tested


def adjust(claims: Sequence[Claim], outcomes: Sequence[Outcome]) -> list[float]:
    """Holm's p values, each family by itself. A claim that cannot be tested counts as a member."""
    adjusted = [math.nan] * len(claims)
    for family in dict.fromkeys(claim.family for claim in claims):
        members = [index for index, claim in enumerate(claims) if claim.family == family]
        values = holm([outcomes[index].p for index in members])
        for index, value in zip(members, values, strict=True):
            adjusted[index] = value
    return adjusted


def _lacking(claim: Claim, runs: Sequence[Scored], figures: RunFigures) -> str:
    """What is missing to decide a claim, in words; empty: nothing."""
    sides = (claim.regime, claim.than)
    incomplete = {run.regime for run in runs if run.missing}
    lacking = [name for name in sides if name in incomplete]
    if lacking:
        return f"runs of {' and '.join(lacking)} are missing"

    # Of runs that count: those that are still to come have no figure yet.
    counted = [run for run in runs if run.regime in sides and run.counted is not None]
    without = Counter(
        run.regime for run in counted if claim.figure not in figures.get(run.name, {})
    )
    several = " and ".join(f"{count} of {name}" for name, count in without.items())
    return f"runs without {claim.figure}: {several}" if without else ""


def _failed(claim: Claim, runs: Sequence[Scored]) -> bool:
    """Whether a run failed of the regimes of a claim."""
    return any(run.lost and run.regime in (claim.regime, claim.than) for run in runs)


# -- figures of both sides --


def cells(
    claim: Claim, runs: Sequence[Scored], figures: RunFigures, tasks: Sequence[str], budget: int
) -> Sides | None:
    """Both sides of a claim, task by task; None where they cannot be compared."""
    ours = [_seeds(claim.figure, claim.regime, task, runs, figures) for task in tasks]
    fewest = FEWEST.get(claim.figure, 2)
    if claim.than in METHODS or claim.than == ZERO:
        theirs = _known_before(claim, tasks, budget)
        enough = all(len(seeds) >= fewest for seeds in ours)
        return ([list(seeds.values()) for seeds in ours], theirs) if theirs and enough else None

    others = [_seeds(claim.figure, claim.than, task, runs, figures) for task in tasks]
    if claim.paired:
        ours, others = _pairs(ours, others)
    if not tasks or not all(len(seeds) >= fewest for seeds in (*ours, *others)):
        return None
    return [list(seeds.values()) for seeds in ours], [list(seeds.values()) for seeds in others]


def _known_before(claim: Claim, tasks: Sequence[str], budget: int) -> list[Mean] | None:
    """What a claim is compared with that no run of the suite measures."""
    # A level has no error: Welch's t of both sides is Student's t of one sample.
    if claim.than == ZERO:
        return [LEVEL_ZERO] * len(tasks)
    return published(METHODS[claim.than], claim, tasks, budget)


def _seeds(
    figure: str, regime: str, task: str, runs: Sequence[Scored], figures: RunFigures
) -> Seeds:
    """A figure of every seed of a task and regime that has it."""
    group = [run for run in runs if (run.task, run.regime) == (task, regime)]
    known = [(run.seed, figures.get(run.name, {}).get(figure)) for run in group]
    return {seed: value for seed, value in known if value is not None}


def _pairs(ours: list[Seeds], theirs: list[Seeds]) -> tuple[list[Seeds], list[Seeds]]:
    """The seeds that both sides have, in one order."""
    both = [sorted(set(a) & set(b)) for a, b in zip(ours, theirs, strict=True)]
    left = [{seed: a[seed] for seed in seeds} for a, seeds in zip(ours, both, strict=True)]
    right = [{seed: b[seed] for seed in seeds} for b, seeds in zip(theirs, both, strict=True)]
    return left, right


def published(method: Method, claim: Claim, tasks: Sequence[str], budget: int) -> list[Mean] | None:
    """A method's published mean and standard deviation on each task; None where it has none that
    the claim can be compared with."""
    comparable = budget == ENVIRONMENT_STEPS and claim.figure in PUBLISHED
    if not comparable or not all(task in method.returns for task in tasks):
        return None

    # A 95 percent half width is t(0.975, n - 1) standard errors.
    widths = float(stdtrit(method.seeds - 1, 0.975))
    rows = [method.returns[task] for task in tasks]
    root = math.sqrt(method.seeds)
    return [Mean(method.seeds, mean, half / widths * root, half) for mean, half in rows]


# -- rules --


def outcome(claim: Claim, sides: Sides | None) -> Outcome:
    """What the claim's rule finds on both sides' figures."""
    if sides is None or (claim.paired and claim.than in METHODS):
        return UNTESTED
    measure, lowest, highest = measured(claim)
    if claim.rule == "equivalent":
        return rules.equivalent(measure, *sides, lowest, highest)

    upward, margin = direction(claim)
    if claim.over == "each":
        rule = rules.each_above if upward else rules.each_below
    else:
        rule = rules.above if upward else rules.below
    return rule(measure, *sides, margin)


def direction(claim: Claim) -> tuple[bool, float]:
    """Whether a claim of one side is that the figure is above something, and the signed margin."""
    _, lowest, highest = measured(claim)
    if claim.rule == "above":
        return True, highest
    if claim.rule == "below":
        return False, lowest

    # No worse: not as far below, or where less is better, not as far above.
    return (False, highest) if claim.figure in LOSSES else (True, lowest)


def measured(claim: Claim) -> tuple[Measure, float, float]:
    """How a claim's figure is compared, and its margin below and above."""
    if claim.figure == "spread":
        return measures.spreads, 1.0 / claim.margin, claim.margin
    if claim.figure == "failures":
        return measures.rates, -claim.margin, claim.margin
    return MEASURES[claim.unit, claim.paired], -claim.margin, claim.margin


# -- words --


def compared(claim: Claim) -> str:
    """What was compared, in words."""
    words = {
        "above": "above {than} by more than {margin}",
        "below": "below {than} by more than {margin}",
        "no-worse": "no worse than {than} by {margin}",
        "equivalent": "within {margin} of {than}",
    }
    relation = words[claim.rule].format(than=claim.than, margin=margin_in_words(claim))
    each = ", on each task" if claim.over == "each" else ""
    pairs = ", pairs of seeds" if claim.paired else ""
    return f"{claim.figure} of {claim.regime} {relation}{each}{pairs}"


def margin_in_words(claim: Claim) -> str:
    """A margin with its unit."""
    if claim.figure == "spread":
        return f"a factor of {claim.margin:g}"
    if claim.figure == "failures" or claim.unit == "share":
        return f"{100.0 * claim.margin:.3g} %"
    return f"{claim.margin:.3g}"


def in_words(
    claim: Claim, sides: Sides | None, result: Outcome, p: float, tasks: Sequence[str]
) -> str:
    """The test in words; `p`: adjusted, NaN where it decides nothing."""
    if sides is None or math.isnan(result.p):
        method = ", or nothing published that it can be compared with"
        return f"not enough runs{method if claim.than in METHODS else ''}"

    # Of the task that decides, where each is judged by itself.
    where = ""
    if result.task is not None:
        where = f"{tasks[result.task]}: "
        sides = [sides[0][result.task]], [sides[1][result.task]]
    decided = "" if math.isnan(p) else f", Holm p {p:.2g}"
    return f"{where}{_test_in_words(claim, sides, result.comparison)}{decided}"


def _test_in_words(claim: Claim, sides: Sides, test: Comparison) -> str:
    if math.isnan(test.value):
        side = "above" if test.above < test.below else "below" if test.below < test.above else "as"
        return f"{side} {claim.than}, whose mean is 0"

    measure = measured(claim)[0]
    both = claim.rule == "equivalent"
    ends = interval(measure, *sides, test.limit, confidence=0.9 if both else 0.95)
    factor, unit = (100.0, " %") if measure in SHARES else (1.0, "")
    value, low, high, limit = (
        f"{factor * figure:.3g}{unit}" for figure in (test.value, *ends, test.limit)
    )
    name = "ratio" if claim.figure == "spread" else "difference"
    return f"{name} {value} ({'90 % ' if both else ''}{low} to {high}), limit {limit}"
