"""Intervals of what measures.py compares: the margins that a test does not reject.

An interval does not depend on the margin that was stated, and its lower end is above that margin
where, and only where, the difference is significantly above it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from leaderboard.statistics.measures import Cells, Measure, rates, spreads

RANGES: dict[Measure, tuple[float, float]] = {spreads: (0.0, math.inf), rates: (-1.0, 1.0)}
"""Margins that a measure can have, where it cannot have all."""
FARTHEST = 1e9
"""Size of a margin beyond which none is looked for."""


def interval(
    measure: Measure, ours: Cells, theirs: Cells, confidence: float = 0.95
) -> tuple[float, float]:
    """The margins that the test does not reject, in the unit of `value`; NaN where there is none.

    Of a share that is Fieller's interval. It has no bounds where theirs cannot be told from zero.
    """
    value = measure(ours, theirs, 1.0).value
    if math.isnan(value):
        return math.nan, math.nan
    level = (1.0 - confidence) / 2.0
    least, most = RANGES.get(measure, (-math.inf, math.inf))
    return (
        _end(lambda margin: measure(ours, theirs, margin).above < level, value, least),
        _end(lambda margin: measure(ours, theirs, margin).below < level, value, most),
    )


def _end(rejected: Callable[[float], bool], value: float, last: float) -> float:
    """Where margins are rejected first on the way from `value` to `last`; `last` if none is."""
    step = math.copysign(1.0, last - value)
    near = far = value
    while not rejected(far):
        if far == last or abs(far) > FARTHEST:
            return last
        near, far = far, value + step
        far = max(far, last) if step < 0.0 else min(far, last)
        step *= 2.0

    while abs(far - near) > 1e-9 * max(1.0, abs(far)):
        middle = (near + far) / 2.0
        near, far = (near, middle) if rejected(middle) else (middle, far)
    return (near + far) / 2.0
