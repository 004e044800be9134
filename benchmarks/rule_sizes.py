"""How often every rule decides wrongly at its margin, and rightly at a stated effect.

A size is measured at the margin itself, where whatever is decided is as often wrong as it can be.
Both regimes scatter alike, and ours is moved by a share of its task's mean: of an equivalence on
one task alone, where errors are likeliest. Spreads are stretched about the task's mean, rates are
drawn as such. Pairs share a seed's score with a probability that is their correlation; pairs of
the project's own scores are its own seeds. A level is compared with figures that scatter by the
same shares of their mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from many import check, judge
from noise import COLLAPSE, MID, OWN, OWN_SCORES, SCENARIOS, Array, Model

from leaderboard.formats.suite import ZERO, Claim
from leaderboard.statistics.claims import direction
from leaderboard.statistics.power import Design, power
from leaderboard.statistics.rules import LEVEL

SEEDS = (3, 5, 10, 30)
RATES = (0.05, 0.15, 0.3, 0.5)
"""Of failures of two regimes that are alike, on two tasks."""
CORRELATION = 0.25
"""Of pairs: that of `dense` and `mst` on ci-tiny."""
UNEQUAL = "steady beside collapse"
"""A model in which regimes do not scatter alike: ours is `mid`, theirs `collapse`."""
DRAWS = 1_000_000
"""Scores that true means and deviations follow from."""

PAIRED = np.genfromtxt(OWN_SCORES, delimiter=",", names=True)
"""Scores of the project's own seeds, a row a seed."""

CHECKED = 20
"""Experiments that the rules themselves repeat, for each size."""


@dataclass(frozen=True)
class Trial:
    """A rule, and the effect at which its power is measured."""

    name: str
    claim: Claim
    effect: float
    """Ours beyond theirs: a share, a ratio of spreads, or a difference of rates."""


ABOVE = Claim("x", "x", "ours", "x", "ours", "theirs", "score", "above", 0.05)
PAIRS = replace(ABOVE, paired=True)
EACH = replace(ABOVE, over="each")
NO_WORSE = replace(ABOVE, rule="no-worse", margin=0.1)
EQUIVALENT = replace(ABOVE, rule="equivalent", over="each", margin=0.2)
LEVEL_ABOVE = replace(ABOVE, figure="critic.x", than=ZERO, unit="own", margin=0.2)
LEVEL_NEAR = replace(LEVEL_ABOVE, rule="equivalent", over="each")
SPREAD = replace(ABOVE, figure="spread", margin=1.0)
WIDER = replace(SPREAD, margin=1.5)
SAME_SPREAD = replace(EQUIVALENT, figure="spread", margin=2.0)
MORE_FAILURES = replace(ABOVE, figure="failures", unit="own", margin=0.1)
NO_MORE_FAILURES = replace(MORE_FAILURES, rule="no-worse", margin=0.2)

MEANS = (
    Trial("above by 5 %", ABOVE, 0.25),
    Trial("above by 5 %, pairs", PAIRS, 0.25),
    Trial("above by 5 %, each task", EACH, 0.25),
    Trial("no worse by 10 %", NO_WORSE, 0.0),
    Trial("equivalent to 20 %", EQUIVALENT, 0.0),
)
LEVELS = (
    Trial("above the level 0.2", LEVEL_ABOVE, 0.25),
    Trial("nearer to 0 than 0.2", LEVEL_NEAR, 0.1),
)
SPREADS = (
    Trial("spread above", SPREAD, 2.0),
    Trial("spread above 1.5 times", WIDER, 3.0),
    Trial("spread equivalent to 2 times", SAME_SPREAD, 1.0),
)
FAILURES = (
    Trial("failures above by 10 points", MORE_FAILURES, 0.4),
    Trial("failures no worse by 20 points", NO_MORE_FAILURES, 0.0),
)


@dataclass(frozen=True)
class Size:
    """What was counted of one rule, model and number of seeds."""

    rule: str
    model: str
    seeds: int
    nominal: float
    size: float
    """Share decided at the margin; of an equivalence, share supported."""
    power: float
    """Share supported at the effect."""
    formula: float | None
    """The same by power.py; None where regimes do not scatter alike."""


def sizes(replications: int) -> Iterator[Size]:
    """Every rule under every model."""
    for name, models in {**SCENARIOS, **OWN}.items():
        for seeds in SEEDS:
            for each in (*MEANS, *SPREADS):
                yield _size(each, name, Scatter(models, models, name in OWN), seeds, replications)
            for each in LEVELS:
                scatter = Scatter(models, models, name in OWN)
                yield _level_size(each, name, scatter, seeds, replications)
    for rate in RATES:
        for seeds in SEEDS:
            for each in FAILURES:
                yield _rate_size(each, rate, seeds, replications)
    for seeds in SEEDS:
        for each in MEANS:
            if not each.claim.paired:
                scatter = Scatter([MID, MID], [COLLAPSE, COLLAPSE], own=False)
                yield _size(each, UNEQUAL, scatter, seeds, replications)


class Scatter:
    """How the scores of both regimes scatter, with their true means."""

    def __init__(self, ours: list[Model], theirs: list[Model], own: bool) -> None:
        self.ours = ours
        self.theirs = theirs
        self.alike = ours is theirs
        self.own = own
        many = [model(np.random.default_rng(99), DRAWS) for model in theirs]
        self.means = tuple(float(draws.mean()) for draws in many)
        self.deviations = tuple(float(draws.std()) for draws in many)
        our_many = [model(np.random.default_rng(99), DRAWS) for model in ours]
        self.our_means = tuple(float(draws.mean()) for draws in our_many)

    def draw(
        self, generator: np.random.Generator, experiments: int, seeds: int, paired: bool
    ) -> tuple[Array, Array]:
        """Scores of both regimes with equal true means: twice [experiments, tasks, seeds]."""
        shape = (experiments, seeds)
        count = experiments * seeds
        theirs = np.stack([m(generator, count).reshape(shape) for m in self.theirs], axis=1)
        ours = np.stack([m(generator, count).reshape(shape) for m in self.ours], axis=1)
        ours += (np.array(self.means) - np.array(self.our_means))[:, None]
        if paired and self.own:
            return self._own_pairs(generator, theirs.shape)
        if paired:
            ours = np.where(generator.random(ours.shape) < CORRELATION, theirs, ours)
        return ours, theirs

    def _own_pairs(
        self, generator: np.random.Generator, shape: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """Seeds of the project's two regimes, moved to one mean."""
        rows = generator.integers(0, len(PAIRED), shape)
        middle = np.array(self.means)[:, None]
        ours = PAIRED["mst"] - PAIRED["mst"].mean()
        theirs = PAIRED["dense"] - PAIRED["dense"].mean()
        return middle + ours[rows], middle + theirs[rows]


def _size(each: Trial, model: str, scatter: Scatter, seeds: int, replications: int) -> Size:
    """Scores that are moved to the margin, and to the effect."""
    claim = each.claim
    generator = np.random.default_rng(seeds)
    ours, theirs = scatter.draw(generator, replications, seeds, claim.paired)
    size = _decided(claim, _moved(each, scatter, ours, at_margin=True), theirs)
    supported = _supported(claim, _moved(each, scatter, ours, at_margin=False), theirs)
    design = Design(claim, scatter.means, scatter.deviations, correlation=CORRELATION)
    formula = power(design, seeds, each.effect) if scatter.alike else None
    return Size(each.name, model, seeds, LEVEL, size, supported, formula)


def _moved(each: Trial, scatter: Scatter, ours: Array, at_margin: bool) -> Array:
    """Ours at the margin, or at the effect."""
    claim = each.claim
    means = np.array(scatter.means)[:, None]
    spread = claim.figure == "spread"
    if claim.rule == "equivalent":
        shift = np.full_like(means, 1.0 if spread else 0.0)
        if at_margin:
            shift[0] = claim.margin
    else:
        shift = np.full_like(means, direction(claim)[1] if at_margin else each.effect)
    moved: Array = means + shift * (ours - means) if spread else ours + shift * means
    return moved


def _rate_size(each: Trial, rate: float, seeds: int, replications: int) -> Size:
    """Two tasks with one rate."""
    claim = each.claim
    _, margin = direction(claim)
    generator = np.random.default_rng(seeds)
    shape = (replications, 2, seeds)
    theirs = (generator.random(shape) < rate).astype(np.float64)
    at_margin = (generator.random(shape) < rate + margin).astype(np.float64)
    at_effect = (generator.random(shape) < rate + each.effect).astype(np.float64)
    size = _decided(claim, at_margin, theirs)
    formula = power(Design(claim, (rate, rate), (0.0, 0.0)), seeds, each.effect)
    supported = _supported(claim, at_effect, theirs)
    return Size(each.name, f"rate {rate:g}", seeds, LEVEL, size, supported, formula)


def _level_size(each: Trial, model: str, scatter: Scatter, seeds: int, replications: int) -> Size:
    """Figures about the level, of an equivalence on one task alone, and about the effect."""
    claim = each.claim
    generator = np.random.default_rng(seeds)
    means = np.array(scatter.means)[:, None]
    relative = scatter.draw(generator, replications, seeds, paired=False)[0] / means
    level = np.full_like(means, each.effect if claim.rule == "equivalent" else claim.margin)
    level[0] = claim.margin
    size = _decided(claim, level * relative, np.zeros_like(relative))
    supported = _supported(claim, each.effect * relative, np.zeros_like(relative))
    deviations = [
        each.effect * d / m for d, m in zip(scatter.deviations, scatter.means, strict=True)
    ]
    design = Design(claim, tuple(each.effect for _ in deviations), tuple(deviations))
    return Size(each.name, model, seeds, LEVEL, size, supported, power(design, seeds, each.effect))


def _decided(claim: Claim, ours: Array, theirs: Array) -> float:
    """Share of experiments that decide; of an equivalence, that support it."""
    supports, refutes = judge(claim, ours, theirs)
    check(claim, ours[:CHECKED], theirs[:CHECKED], supports, refutes)
    if claim.rule == "equivalent":
        return float(np.mean((supports < LEVEL) & (supports < refutes)))
    return float(np.mean(np.minimum(supports, refutes) < LEVEL))


def _supported(claim: Claim, ours: Array, theirs: Array) -> float:
    """Share of experiments that support the claim."""
    supports, refutes = judge(claim, ours, theirs)
    return float(np.mean((supports < LEVEL) & (supports < refutes)))
