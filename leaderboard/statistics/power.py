"""What a test can find before anything has run: its power, the smallest effect, the seeds it needs.

Power is the chance of the verdict `supported` at the worst rank of Holm's procedure, a family of k
tests: level / k. Both regimes are taken to scatter alike, by the given deviations.

Means follow Student's noncentral t, with Welch and Satterthwaite's freedom at the true variances.
Equivalence: the probability between both limits, over the quantiles of the sample's deviation.
Spreads: the same t for distances from the median, of normal scores. Rates: normal, with the score
test's variance. benchmarks/coverage.py compares all of them with simulations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaincinv, nctdtr, ndtr, ndtri, stdtrit

from leaderboard.formats.suite import Claim
from leaderboard.statistics.claims import direction, measured
from leaderboard.statistics.measures import restricted_variance
from leaderboard.statistics.rules import LEVEL
from leaderboard.statistics.stats import Mean, standard_error

ENOUGH = 0.8
"""Power that an effect is found with."""
MOST_SEEDS = 1000
"""Seeds beyond which nobody would go."""
DISTANCE = math.sqrt(2.0 / math.pi)
"""Mean distance of a normal score from its median, in standard deviations."""
POINTS = 400
"""Quantiles of a deviation that a power is averaged over."""


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

    least = even + 1e-9
    return _crossing(shown, least, enough, _top(design))


def seeds_needed(
    design: Design, effect: float | None = None, enough: float = ENOUGH
) -> int | None:
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
        return 1.0 - 1e-9
    if claim.unit == "share":
        # A share of one below, and a margin of one, is everything that there is.
        return 1000.0 if claim.rule == "above" else 1.0 - 1e-9
    return 1000.0 * (max(map(abs, design.means)) + max(design.deviations))


def _crossing(
    chance: Callable[[float], float], low: float, enough: float, high: float
) -> float:
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
    tasks = [(mean,) for mean in zip(design.means, design.deviations, strict=True)]
    if claim.rule == "equivalent":
        return math.prod(_equivalent_power(design, seeds, effect, task) for task in tasks)
    if claim.over == "each":
        return math.prod(_one_sided_power(design, seeds, effect, task) for task in tasks)
    return _one_sided_power(design, seeds, effect, tuple(task[0] for task in tasks))


Tasks = tuple[tuple[float, float], ...]
"""Mean and deviation of each."""


def _one_sided_power(design: Design, seeds: int, effect: float, tasks: Tasks) -> float:
    """Chance that one side is shown, at half of the level."""
    upward, margin = direction(design.claim)
    shift = effect if upward else -effect
    excess, error, freedom = _excess(design, seeds, shift, margin, tasks)
    alpha = LEVEL / design.tests / 2.0
    return _beyond(excess if upward else -excess, error, freedom, alpha)


def _equivalent_power(design: Design, seeds: int, effect: float, tasks: Tasks) -> float:
    """Chance that both sides are shown on a task, each at the level."""
    _, lowest, highest = measured(design.claim)
    below, error_below, freedom = _excess(design, seeds, effect, lowest, tasks)
    above, error_above, _ = _excess(design, seeds, effect, highest, tasks)
    if error_below == 0.0 or error_above == 0.0:
        return float(below > 0.0 > above)

    # Given the sample's deviation, as a share of the true one, both tests cut a normal variable.
    shares = (np.arange(POINTS) + 0.5) / POINTS
    sample = np.sqrt(2.0 * gammaincinv(freedom / 2.0, shares) / freedom)
    bound = float(stdtrit(freedom, 1.0 - LEVEL / design.tests)) * sample
    upper = ndtr(-above / error_above - bound)
    lower = ndtr(bound - below / error_below)
    return float(np.mean(np.maximum(0.0, upper - lower)))


def _excess(
    design: Design, seeds: int, shift: float, margin: float, tasks: Tasks
) -> tuple[float, float, float]:
    """How far the true difference is above a margin, with standard error and freedom."""
    share = design.claim.unit == "share"
    excess = math.fsum(
        (shift - margin) * (abs(mean) if share else 1.0) for mean, _ in tasks
    ) / len(tasks)

    # Theirs are multiplied by the factor of the test.
    size = math.fsum(mean for mean, _ in tasks)
    factor = 1.0 + math.copysign(margin, margin * size) if share else 1.0
    if design.claim.paired:
        variance = 1.0 + factor**2 - 2.0 * factor * design.correlation
        pairs = [_cell(seeds, math.sqrt(variance) * deviation) for _, deviation in tasks]
        return excess, *standard_error(pairs)
    ours = [_cell(seeds, deviation) for _, deviation in tasks]
    theirs = [_cell(design.published or seeds, factor * deviation) for _, deviation in tasks]
    return excess, *standard_error(ours, theirs)


def _cell(seeds: int, deviation: float) -> Mean:
    return Mean(seeds, 0.0, deviation, math.nan)


def _beyond(excess: float, error: float, freedom: float, alpha: float) -> float:
    """Chance of a t above its quantile."""
    if error == 0.0:
        return float(excess > 0.0)
    quantile = float(stdtrit(freedom, 1.0 - alpha))
    t = excess / error

    # The noncentral t is not computed far out, where the answer is plain.
    if abs(t) > 30.0:
        return float(ndtr(t - quantile))
    return 1.0 - float(nctdtr(freedom, t, quantile))


# -- spreads and rates --


def _spread_power(design: Design, seeds: int, effect: float) -> float:
    """Distances from the median have mean DISTANCE and variance 1 - DISTANCE^2 for spread one."""
    claim = design.claim
    if seeds < 3:
        return 0.0
    tasks = len(design.means)
    pooled = 1 if claim.over == "each" else tasks
    freedom = 2.0 * pooled * (seeds - 2)

    def shown(ratio: float, margin: float, alpha: float) -> float:
        variance = (1.0 - DISTANCE**2) * (ratio**2 + margin**2) / (seeds - 1) / pooled
        return _beyond((ratio - margin) * DISTANCE, math.sqrt(variance), freedom, alpha)

    # What is below a margin is, seen from the other side, above it.
    if claim.rule == "equivalent":
        alpha = LEVEL / design.tests
        above = shown(effect, 1.0 / claim.margin, alpha)
        below = shown(1.0 / effect, 1.0 / claim.margin, alpha)
        return max(0.0, above + below - 1.0) ** tasks
    alpha = LEVEL / design.tests / 2.0
    margin = 1.0 / claim.margin if claim.rule == "no-worse" else claim.margin
    return shown(effect, margin, alpha) ** (tasks // pooled)


def _rate_power(design: Design, seeds: int, effect: float) -> float:
    claim = design.claim
    if seeds < 2:
        return 0.0
    _, lowest, highest = measured(claim)
    if claim.rule == "equivalent":
        alpha = LEVEL / design.tests
        below = [_rate_shown(seeds, (rate,), effect, lowest, True, alpha) for rate in design.means]
        above = [_rate_shown(seeds, (rate,), effect, highest, False, alpha) for rate in design.means]
        return math.prod(max(0.0, a + b - 1.0) for a, b in zip(above, below, strict=True))

    upward, margin = direction(claim)
    shift = effect if upward else -effect
    alpha = LEVEL / design.tests / 2.0
    if claim.over == "each":
        return math.prod(
            _rate_shown(seeds, (rate,), shift, margin, upward, alpha) for rate in design.means
        )
    return _rate_shown(seeds, design.means, shift, margin, upward, alpha)


def _rate_shown(
    seeds: int, rates: tuple[float, ...], shift: float, margin: float, upward: bool, alpha: float
) -> float:
    """Chance that the score test finds a difference of rates beyond a margin."""
    pairs = [(min(1.0, max(0.0, rate + shift)), rate) for rate in rates]
    excess = math.fsum(ours - theirs - margin for ours, theirs in pairs)
    true = math.fsum(a * (1.0 - a) + b * (1.0 - b) for a, b in pairs) / seeds
    tested = math.fsum(restricted_variance(a, seeds, b, seeds, margin) for a, b in pairs)

    gap = excess if upward else -excess
    bound = float(ndtri(1.0 - alpha)) * math.sqrt(tested)
    if true == 0.0:
        return float(gap > bound)
    return float(ndtr((gap - bound) / math.sqrt(true)))
