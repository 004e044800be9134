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
DOUBLINGS = 90
"""Of a step from the estimate, until none is rejected on that side."""
HALVINGS = 80
"""Of what lies between a margin that is rejected and one that is not, at most."""


def interval(
    measure: Measure, ours: Cells, theirs: Cells, margin: float, confidence: float = 0.95
) -> tuple[float, float]:
    """The margins about `value` that the test does not reject, in its unit; NaN where it has none.

    `margin`: the one that was stated, so that the interval never contradicts its test. Of a share
    it is Fieller's interval, without an end where theirs cannot be told from zero: margins may then
    be rejected on one side of the estimate and not beyond.
    """
    stated = measure(ours, theirs, margin)
    if math.isnan(stated.value):
        return math.nan, math.nan
    level = (1.0 - confidence) / 2.0
    least, most = RANGES.get(measure, (-math.inf, math.inf))
    return (
        _end(lambda at: measure(ours, theirs, at).above < level, stated.value, least, margin),
        _end(lambda at: measure(ours, theirs, at).below < level, stated.value, most, margin),
    )


def _end(rejected: Callable[[float], bool], value: float, last: float, margin: float) -> float:
    """Where margins are rejected first on the way from `value` to `last`; `last` if none is."""
    way = math.copysign(1.0, last - value)
    step = max(1e-3 * abs(value), 1e-12)
    doubled = (value + way * step * 2.0**count for count in range(DOUBLINGS))
    tried = {*doubled, margin, last}
    near = value
    if way * value < way * margin and not rejected(margin):
        near = margin

    # The first that is rejected, and the last before it that is not.
    between = [at for at in tried if way * near < way * at <= way * last and math.isfinite(at)]
    for far in sorted(between, key=lambda at: way * at):
        if rejected(far):
            break
        near = far
    else:
        return last

    for _ in range(HALVINGS):
        middle = (near + far) / 2.0
        if middle in (near, far):
            break
        near, far = (near, middle) if rejected(middle) else (middle, far)
    return (near + far) / 2.0
