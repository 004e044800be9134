"""What a test can find before anything has run: its power, the smallest effect, the seeds it needs.

Power is the chance of the verdict `supported` at the worst rank of Holm's procedure, a family of k
tests: level / k. Both regimes are taken to scatter alike, normally, by the given deviations.

The chances themselves are in chances.py; benchmarks/coverage.py compares them with simulations of
the rules.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from leaderboard.formats.suite import ZERO, Claim
from leaderboard.statistics.chances import (
    Errors,
    mean_between,
    mean_shown,
    rate_shown,
    ratio_shown,
)
from leaderboard.statistics.claims import direction, measured
from leaderboard.statistics.rules import LEVEL

ENOUGH = 0.8
"""Power that an effect is found with."""
MOST_SEEDS = 1000
"""Seeds beyond which nobody would go."""
Tasks = tuple[tuple[float, float], ...]
"""Mean and deviation of each."""


@dataclass(frozen=True)
class Design:
    """A claim's test before any run."""

    claim: Claim
    means: tuple[float, ...]
    """Of the regime or method it is compared with, a task each; of failures, rates."""
    deviations: tuple[float, ...]
    """Standard deviation over seeds, a task each; spreads and rates need none."""
    tests: int = 1
    """Tests of its family."""
    correlation: float = 0.0
    """Of pairs with equal seeds, where the claim compares pairs."""
    published: int = 0
    """Seeds behind a published method's means; 0: it is compared with a regime of the suite."""


def power(design: Design, seeds: int, effect: float) -> float:
    """Chance that `seeds` seeds support the claim.

    `effect`: how far ours truly is on the side that the claim points to (above, below: beyond
    theirs; no worse: better than theirs; equivalent: above theirs), in the margin's unit; of
    spreads, the factor.
    """
    figure = design.claim.figure
    if figure == "spread":
        return _spread_power(design, seeds, effect)
    if figure == "failures":
        return _rate_power(design, seeds, effect)
    return _mean_power(design, seeds, effect)


def smallest_effect(design: Design, seeds: int, enough: float = ENOUGH) -> float:
    """The smallest effect that is found with power `enough`; infinite where none is.

    above, below: the true effect. no worse, equivalent: the margin that could be shown if nothing
    differs, so a suite whose margin is smaller finds nothing.
    """
    even = _even(design.claim)
    if design.claim.rule in ("above", "below"):
        return _crossing(lambda effect: power(design, seeds, effect), even, enough, _top(design))

    def shown(margin: float) -> float:
        claim = replace(design.claim, margin=margin)
        return power(replace(design, claim=claim), seeds, even)

    return _crossing(shown, even + 1e-9, enough, _top(design))


def seeds_needed(design: Design, effect: float | None = None, enough: float = ENOUGH) -> int | None:
    """Fewest seeds of power `enough`; None above MOST_SEEDS. Without an effect: twice the margin
    for above and below, no difference for the other rules."""
    if effect is None:
        effect = usual_effect(design.claim)
    low, high = 1, MOST_SEEDS
    if not power(design, high, effect) >= enough:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if power(design, middle, effect) >= enough:
            high = middle
        else:
            low = middle
    return high


def usual_effect(claim: Claim) -> float:
    """The effect that seeds are counted for: twice the margin (of spreads, a factor of two beyond
    it), or none where a claim says that there is none."""
    if claim.rule in ("above", "below"):
        return 2.0 * claim.margin
    return _even(claim)


def _even(claim: Claim) -> float:
    """The effect of two regimes that are alike."""
    return 1.0 if claim.figure == "spread" else 0.0


def _top(design: Design) -> float:
    """The largest effect that is worth a look."""
    claim = design.claim
    if claim.figure == "spread":
        return 1000.0
    if claim.figure == "failures":
        # No rate falls below zero, and none rises above one.
        room = max(design.means) if claim.rule == "below" else 1.0 - min(design.means)
        return min(room, 1.0 - 1e-9)
    if claim.unit == "share":
        # A share of one below, and a margin of one, is everything that there is.
        return 1000.0 if claim.rule == "above" else 1.0 - 1e-9
    return 1000.0 * (max(map(abs, design.means)) + max(design.deviations))


def _crossing(chance: Callable[[float], float], low: float, enough: float, high: float) -> float:
    """Where a rising chance reaches `enough`, by halving."""
    if not chance(high) >= enough:
        return math.inf
    for _ in range(60):
        middle = (low + high) / 2.0
        if chance(middle) >= enough:
            high = middle
        else:
            low = middle
    return high


# -- means --


def _mean_power(design: Design, seeds: int, effect: float) -> float:
    claim = design.claim
    if seeds < 2:
        return 0.0
    tasks = tuple(zip(design.means, design.deviations, strict=True))
    if claim.rule == "equivalent":
        return math.prod(_equivalent_power(design, seeds, effect, (task,)) for task in tasks)
    if claim.over == "each":
        return math.prod(_one_sided_power(design, seeds, effect, (task,)) for task in tasks)
    return _one_sided_power(design, seeds, effect, tasks)


def _one_sided_power(design: Design, seeds: int, effect: float, tasks: Tasks) -> float:
    """Chance that one side is shown, at half of the level."""
    upward, margin = direction(design.claim)
    shift = effect if upward else -effect
    excess, errors = _excess(design, seeds, shift, margin, tasks)
    return mean_shown(excess if upward else -excess, errors, LEVEL / design.tests / 2.0)


def _equivalent_power(design: Design, seeds: int, effect: float, tasks: Tasks) -> float:
    """Chance that both sides are shown on a task, each at the level."""
    _, lowest, highest = measured(design.claim)
    above, errors_above = _excess(design, seeds, effect, lowest, tasks)
    beyond, errors_below = _excess(design, seeds, effect, highest, tasks)
    return mean_between(above, errors_above, -beyond, errors_below, LEVEL / design.tests)


def _excess(
    design: Design, seeds: int, shift: float, margin: float, tasks: Tasks
) -> tuple[float, Errors]:
    """How far the true difference is above a margin, and the errors of its estimate."""
    share = design.claim.unit == "share"
    units = [abs(mean) if share else 1.0 for mean, _ in tasks]
    excess = (shift - margin) * math.fsum(units) / len(tasks)

    # Theirs are multiplied by the factor of the test.
    size = math.fsum(mean for mean, _ in tasks)
    factor = 1.0 + math.copysign(margin, margin * size) if share else 1.0
    squares = [(deviation / len(tasks)) ** 2 for _, deviation in tasks]
    if design.claim.paired:
        both = 1.0 + factor**2 - 2.0 * factor * design.correlation
        return excess, Errors.of([(both * square / seeds, seeds) for square in squares])
    ours = [(square / seeds, seeds) for square in squares]
    if design.claim.than == ZERO:
        return excess, Errors.of(ours)
    others = design.published or seeds
    theirs = [(factor**2 * square / others, others) for square in squares]
    return excess, Errors.of([*ours, *theirs])


# -- spreads and rates --


def _spread_power(design: Design, seeds: int, effect: float) -> float:
    claim = design.claim
    if seeds < 3:
        return 0.0
    tasks = len(design.means)
    alone = claim.over == "each"
    shown = functools.partial(ratio_shown, seeds, 1 if alone else tasks)

    # What is below a margin is, seen from the other side, above it.
    if claim.rule == "equivalent":
        alpha = LEVEL / design.tests
        above = shown(effect, 1.0 / claim.margin, alpha)
        below = shown(1.0 / effect, 1.0 / claim.margin, alpha)
        return max(0.0, above + below - 1.0) ** tasks
    alpha = LEVEL / design.tests / 2.0
    margin = 1.0 / claim.margin if claim.rule == "no-worse" else claim.margin
    return shown(effect, margin, alpha) ** (tasks if alone else 1)


def _rate_power(design: Design, seeds: int, effect: float) -> float:
    claim = design.claim
    if seeds < 2:
        return 0.0
    _, lowest, highest = measured(claim)
    if claim.rule == "equivalent":
        alpha = LEVEL / design.tests
        below = [rate_shown(seeds, (rate,), effect, lowest, True, alpha) for rate in design.means]
        above = [rate_shown(seeds, (rate,), effect, highest, False, alpha) for rate in design.means]
        return math.prod(max(0.0, a + b - 1.0) for a, b in zip(above, below, strict=True))

    upward, margin = direction(claim)
    shift = effect if upward else -effect
    alpha = LEVEL / design.tests / 2.0
    if claim.over == "each":
        return math.prod(
            rate_shown(seeds, (rate,), shift, margin, upward, alpha) for rate in design.means
        )
    return rate_shown(seeds, design.means, shift, margin, upward, alpha)
