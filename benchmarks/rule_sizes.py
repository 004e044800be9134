"""How often every rule decides wrongly at its margin, and rightly at a stated effect.

A size is measured at the margin itself, where whatever is decided is as often wrong as it can be.
Both regimes scatter alike, and ours is moved by a share of its task's mean: of an equivalence on
one task alone, where errors are likeliest. Spreads are stretched about the task's mean, rates are
drawn as such. Pairs share a seed's score with a probability that is their correlation; pairs of
the project's own scores are its own seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from noise import COLLAPSE, MID, OWN, OWN_SCORES, SCENARIOS, Array, Model

from leaderboard.formats.suite import Claim
from leaderboard.statistics.claims import direction, outcome
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

Sides = tuple[list[list[float]], list[list[float]]]


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

    def draw(self, generator: np.random.Generator, seeds: int, paired: bool) -> tuple[Array, Array]:
        """Scores of both regimes with equal true means: twice [tasks, seeds]."""
        theirs = np.stack([model(generator, seeds) for model in self.theirs])
        ours = np.stack([model(generator, seeds) for model in self.ours])
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
    claim = each.claim
    generator = np.random.default_rng(seeds)
    at_margin = 0
    supported = 0
    for _ in range(replications):
        ours, theirs = scatter.draw(generator, seeds, claim.paired)
        found = outcome(claim, _moved(each, scatter, ours, theirs, at_margin=True))
        decided = found.p < LEVEL
        at_margin += decided and (claim.rule != "equivalent" or found.leans == "supported")
        found = outcome(claim, _moved(each, scatter, ours, theirs, at_margin=False))
        supported += found.p < LEVEL and found.leans == "supported"

    design = Design(claim, scatter.means, scatter.deviations, correlation=CORRELATION)
    formula = power(design, seeds, each.effect) if scatter.alike else None
    return Size(each.name, model, seeds, LEVEL, at_margin / replications,
                supported / replications, formula)  # fmt: skip


def _moved(each: Trial, scatter: Scatter, ours: Array, theirs: Array, at_margin: bool) -> Sides:
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
    moved = means + shift * (ours - means) if spread else ours + shift * means
    return moved.tolist(), theirs.tolist()


def _rate_size(each: Trial, rate: float, seeds: int, replications: int) -> Size:
    """Two tasks with one rate."""
    claim = each.claim
    generator = np.random.default_rng(seeds)
    _, margin = direction(claim)
    at_margin = 0
    supported = 0
    for _ in range(replications):
        theirs = _failing(generator, rate, seeds)
        found = outcome(claim, (_failing(generator, rate + margin, seeds), theirs))
        at_margin += found.p < LEVEL
        found = outcome(claim, (_failing(generator, rate + each.effect, seeds), theirs))
        supported += found.p < LEVEL and found.leans == "supported"
    formula = power(Design(claim, (rate, rate), (0.0, 0.0)), seeds, each.effect)
    return Size(each.name, f"rate {rate:g}", seeds, LEVEL, at_margin / replications,
                supported / replications, formula)  # fmt: skip


def _failing(generator: np.random.Generator, rate: float, seeds: int) -> list[list[float]]:
    """Failures, 0 or 1, of the seeds of two tasks."""
    drawn = generator.random((2, seeds)) < rate
    return drawn.astype(float).tolist()  # type: ignore[no-any-return]
