"""The rules of claims on many experiments at once.

The same tests as leaderboard/statistics/measures.py and rules.py, on arrays of experiments, so that
a benchmark can repeat them by the ten thousand. `check` compares both.
"""

from __future__ import annotations

import math

import numpy as np
from noise import Array
from scipy.special import ndtr, stdtr

from leaderboard.formats.suite import Claim
from leaderboard.statistics.claims import direction, measured, outcome

Tails = tuple[Array, Array]
"""One-sided p values above and below a margin: twice [R]."""


def judge(claim: Claim, ours: Array, theirs: Array) -> Tails:
    """p values for a claim and against it: twice [R]. `ours`, `theirs`: [R, tasks, seeds]."""
    _, lowest, highest = measured(claim)
    tasks = ours.shape[1]
    if claim.rule == "equivalent":
        above, against_low = each(claim, ours, theirs, lowest)
        against_high, below = each(claim, ours, theirs, highest)
        supports = np.maximum(above, below).max(axis=1)
        refutes = 2.0 * tasks * np.minimum(against_low, against_high).min(axis=1)
        return supports, np.minimum(1.0, refutes)

    upward, margin = direction(claim)
    if claim.over == "each":
        above, below = each(claim, ours, theirs, margin)
        supports, refutes = (above, below) if upward else (below, above)
        worst = 2.0 * tasks * refutes.min(axis=1)
        return np.minimum(1.0, 2.0 * supports.max(axis=1)), np.minimum(1.0, worst)
    above, below = tails(claim, ours, theirs, margin)
    supports, refutes = (above, below) if upward else (below, above)
    return np.minimum(1.0, 2.0 * supports), np.minimum(1.0, 2.0 * refutes)


def check(claim: Claim, ours: Array, theirs: Array, supports: Array, refutes: Array) -> None:
    """AssertionError unless the rule itself says the same of every experiment here."""
    for number in range(len(ours)):
        found = outcome(claim, (ours[number].tolist(), theirs[number].tolist()))
        p = min(supports[number], refutes[number])
        assert math.isclose(found.p, p, rel_tol=1e-6, abs_tol=1e-9), (claim, found, p)


def each(claim: Claim, ours: Array, theirs: Array, margin: float) -> Tails:
    """`tails` of every task by itself: twice [R, tasks]."""
    shape = ours.shape[:2]
    alone = (-1, 1, ours.shape[2])
    above, below = tails(claim, ours.reshape(alone), theirs.reshape(alone), margin)
    return above.reshape(shape), below.reshape(shape)


def tails(claim: Claim, ours: Array, theirs: Array, margin: float) -> Tails:
    """p values of all tasks together."""
    if claim.figure == "spread":
        return _spreads(ours, theirs, margin)
    if claim.figure == "failures":
        return _rates(ours, theirs, margin)
    if claim.unit == "own":
        # A level, which has no error: theirs are zero.
        return _means(ours - margin, theirs, 0.0, claim.paired)
    return _means(ours, theirs, margin, claim.paired)


def _means(ours: Array, theirs: Array, margin: float, paired: bool) -> Tails:
    """measures.shares and measures.paired_shares; of differences, those from a level."""
    tasks, seeds = ours.shape[1:]
    size = theirs.mean(axis=(1, 2))
    factor = (1.0 + np.copysign(margin, margin * size))[:, None, None]
    excess = (ours - factor * theirs).mean(axis=(1, 2))
    if paired:
        terms = (ours - factor * theirs).var(axis=2, ddof=1)
    else:
        both = [ours.var(axis=2, ddof=1), factor[..., 0] ** 2 * theirs.var(axis=2, ddof=1)]
        terms = np.concatenate(both, axis=1)
    terms = terms / seeds / tasks**2
    total = terms.sum(axis=1)
    freedom = total**2 * (seeds - 1) / np.maximum((terms**2).sum(axis=1), 1e-300)
    return _student(excess, np.sqrt(total), freedom)


def _student(excess: Array, error: Array, freedom: Array) -> Tails:
    """Both tails; without any error, the sign decides."""
    certain = error == 0.0
    t = excess / np.where(certain, 1.0, error)
    t = np.where(certain, np.copysign(np.inf, excess), t)
    freedom = np.where(certain, 1.0, freedom)
    even = certain & (excess == 0.0)
    above: Array = np.where(even, 1.0, stdtr(freedom, -t))
    below: Array = np.where(even, 1.0, stdtr(freedom, t))
    return above, below


def _spreads(ours: Array, theirs: Array, margin: float) -> Tails:
    """measures.spreads."""
    tasks, seeds = ours.shape[1:]
    x = _distances(ours)
    y = _distances(theirs)
    unit = (x.mean(axis=2) + y.mean(axis=2)) / 2.0
    unit = np.where(unit == 0.0, 1.0, unit)
    excess = ((x.mean(axis=2) - margin * y.mean(axis=2)) / unit).mean(axis=1)
    squares = (x.var(axis=2, ddof=1) + margin**2 * y.var(axis=2, ddof=1)) / unit**2
    error = np.sqrt(squares.sum(axis=1) / (seeds - 1)) / tasks
    return _student(excess, error, np.full(len(ours), 2.0 * tasks * (seeds - 2)))


def _distances(scores: Array) -> Array:
    """measures.distances: [..., n] -> [..., n - 1]."""
    middle = np.median(scores, axis=-1, keepdims=True)
    ordered = np.sort(np.abs(scores - middle), axis=-1)
    if scores.shape[-1] % 2 == 0:
        ordered[..., 1] *= math.sqrt(2.0)
    return ordered[..., 1:]


def _rates(ours: Array, theirs: Array, margin: float) -> Tails:
    """measures.rates."""
    seeds = ours.shape[2]
    a = ours.mean(axis=2)
    b = theirs.mean(axis=2)
    excess = (a - b - margin).sum(axis=1)
    error = np.sqrt(_restricted(a, b, seeds, margin).sum(axis=1))
    certain = error == 0.0
    z = np.where(certain, np.copysign(np.inf, excess), excess / np.where(certain, 1.0, error))
    z = np.where(certain & (np.abs(excess) < 1e-12), 0.0, z)
    return ndtr(-z), ndtr(z)


def _restricted(a: Array, b: Array, seeds: int, margin: float) -> Array:
    """measures.restricted_variance for equal numbers of seeds."""
    second = -(2.0 + a + b + 3.0 * margin)
    first = margin**2 + margin * (2.0 * a + 2.0) + a + b
    constant = -a * margin * (1.0 + margin)
    v = second**3 / 6.0**3 - second * first / 24.0 + constant / 4.0
    u = np.sqrt(np.maximum(0.0, (second / 6.0) ** 2 - first / 6.0))
    u = np.copysign(u, v)
    cosine = np.where(u == 0.0, 1.0, np.clip(v / np.where(u == 0.0, 1.0, u**3), -1.0, 1.0))
    rate = 2.0 * u * np.cos((np.pi + np.arccos(cosine)) / 3.0) - second / 6.0
    rate = np.minimum(np.minimum(1.0, 1.0 + margin), np.maximum(np.maximum(0.0, margin), rate))
    other = np.clip(rate - margin, 0.0, 1.0)
    variance: Array = (rate * (1.0 - rate) + other * (1.0 - other)) / seeds
    return variance * 2.0 * seeds / (2.0 * seeds - 1.0)
