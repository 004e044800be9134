"""How often means of drawn episodes differ as much as those of a group of runs do.

Run i of k has a list of returns. Draw its m claimed and its n fresh episodes from this list, with
replacement, and let D be the mean over the runs of claimed less fresh mean. D is a sum of
independent terms, so its cumulant generating function is that of single returns, K_i for a run:

    K(t) = sum_i m_i K_i(t / (k m_i)) + n K_i(-t / (k n)).

The probability of a D beyond d follows from the t with K'(t) = d by the saddlepoint approximation
r* of Barndorff-Nielsen: with w = sqrt(2 (t d - K(t))) and u = t sqrt(K''(t)), it is
Phi(-(w + log(u / w) / w)). Unlike Student's t it knows how skewed returns are: where one episode in
a hundred falls, a mean of few episodes is anything but normal. Chernoff's bound exp(-w^2 / 2) is
taken where it is smaller, at the ends of what D can be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

SMALLEST = 1e-300
"""Smallest p that is stated."""
NEAR = 0.01
"""w below which the difference is no evidence: p is 1."""
EDGE = 1e-9
"""Share of the largest D within which a D counts as just below it."""
STEPS = 100
"""Most iterations of the search for t; halving alone would need about 50."""


def two_sided(differences: Array, returns: Array, claimed: Array, fresh: int) -> Array:
    """Probability of a D that is as far from zero on its side, twice: [B].

    `differences`: D of each group [B]; `returns`: what episodes are drawn from [B, k, N];
    `claimed`: episodes of each run's claimed mean [k]; `fresh`: those of a fresh mean.
    """
    # A lower D is a higher one of mirrored returns. Shape: [B, k, N]
    distances = np.abs(differences)
    side = np.where(differences < 0.0, -1.0, 1.0)[:, None, None]
    centred = side * (returns - returns.mean(axis=-1, keepdims=True))

    # No draw goes beyond the best claimed and the worst fresh episodes; t is infinite at this end.
    reach = np.ptp(centred, axis=-1).mean(axis=-1)
    possible = distances <= (1.0 + EDGE) * reach
    distances = np.minimum(distances, (1.0 - EDGE) * reach)
    return np.where(possible, _tail(distances, centred, claimed, fresh), SMALLEST)


def _tail(distances: Array, centred: Array, claimed: Array, fresh: int) -> Array:
    """Twice the probability of a D above `distances`."""
    t = _saddlepoint(distances, centred, claimed, fresh)
    value, _, curvature = cumulants(t, centred, claimed, fresh)

    w = np.sqrt(np.maximum(2.0 * (t * distances - value), NEAR**2))
    u = np.maximum(t * np.sqrt(curvature), SMALLEST)
    one_sided = np.minimum(ndtr(-(w + np.log(u / w) / w)), np.exp(-(w**2) / 2.0))
    return np.clip(np.where(w > NEAR, 2.0 * one_sided, 1.0), SMALLEST, 1.0)


def _saddlepoint(distances: Array, centred: Array, claimed: Array, fresh: int) -> Array:
    """The t of each group with K'(t) = distance, by Newton's method inside a bracket: [B]."""
    low = np.zeros(len(distances))
    _, _, curvature = cumulants(low, centred, claimed, fresh)
    high = distances / curvature

    # K' rises, so doubling ends above t.
    for _ in range(STEPS):
        _, slope, _ = cumulants(high, centred, claimed, fresh)
        below = slope < distances
        if not below.any():
            break
        low = np.where(below, high, low)
        high = np.where(below, 2.0 * high, high)

    t = high
    for _ in range(STEPS):
        _, slope, curvature = cumulants(t, centred, claimed, fresh)
        high = np.where(slope >= distances, t, high)
        low = np.where(slope < distances, t, low)

        # A step out of the bracket is replaced by its middle.
        step = t - (slope - distances) / np.maximum(curvature, SMALLEST)
        step = np.where((step > low) & (step < high), step, (low + high) / 2.0)
        if (np.abs(step - t) <= 1e-9 * t).all():
            break
        t = step
    return t


def cumulants(t: Array, centred: Array, claimed: Array, fresh: int) -> tuple[Array, Array, Array]:
    """K, K' and K'' of each group at its t: three times [B]."""
    runs = centred.shape[1]
    sums = [np.zeros(len(t)) for _ in range(3)]
    for count, sign in ((claimed, 1.0), (np.full(runs, float(fresh)), -1.0)):
        # Each episode counts so much in D. Shape: [k]
        share = sign / (runs * count)
        value, mean, variance = _tilted(t[:, None] * share, centred)
        sums[0] += (count * value).sum(axis=1)
        sums[1] += (count * share * mean).sum(axis=1)
        sums[2] += (count * share**2 * variance).sum(axis=1)
    return sums[0], sums[1], sums[2]


def _tilted(t: Array, returns: Array) -> tuple[Array, Array, Array]:
    """log mean exp(t x) of each run's returns x, and mean and variance under these weights.

    `t`: [B, k]; `returns`: [B, k, N]; three times [B, k].
    """
    exponents = t[..., None] * returns
    largest = exponents.max(axis=-1, keepdims=True)
    weights = np.exp(exponents - largest)
    total = weights.mean(axis=-1)

    mean = (weights * returns).mean(axis=-1) / total
    variance = (weights * (returns - mean[..., None]) ** 2).mean(axis=-1) / total
    return np.log(total) + largest[..., 0], mean, variance
