"""Models of how scores scatter over seeds, fitted to published seeds and to this project's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Model = Callable[[np.random.Generator, int], Array]
"""Draws scores of a number of seeds: [n]."""

OWN_SCORES = Path(__file__).parents[1] / "results/ci-tiny-scores.csv"
"""Scores of 192 seeds of `dense` and `mst` on the suite ci-tiny."""


def normal(mean: float, variation: float) -> Model:
    """Normal scores, none below zero. `variation`: standard deviation as a share of the mean."""
    return lambda generator, n: np.maximum(
        0.0, mean * (1.0 + variation * generator.standard_normal(n))
    )


def collapse(mean: float) -> Model:
    """15 percent of the seeds score a twentieth."""
    inner = normal(mean, 0.25)
    return lambda generator, n: np.where(
        generator.random(n) < 0.15, mean / 20.0, inner(generator, n)
    )


def own_scores(regime: str) -> Model:
    """Seeds of this project, drawn with replacement."""
    table = np.genfromtxt(OWN_SCORES, delimiter=",", names=True)
    scores = np.asarray(table[regime], dtype=np.float64)
    return lambda generator, n: generator.choice(scores, n)


TIGHT = normal(700.0, 0.05)
MID = normal(300.0, 0.25)
WIDE = normal(400.0, 0.5)
COLLAPSE = collapse(300.0)

SCENARIOS: dict[str, list[Model]] = {
    "wide + mid": [WIDE, MID],
    "tight + mid": [TIGHT, MID],
    "collapse + mid": [COLLAPSE, MID],
    "7 tasks mixed": [TIGHT, MID, WIDE, MID, TIGHT, WIDE, MID],
}
"""Four noise models: how the scores of each task scatter."""
OWN = {"ci-tiny": [own_scores("dense"), own_scores("mst")]}
"""Two tasks whose scores scatter as those of the project's own two regimes."""
