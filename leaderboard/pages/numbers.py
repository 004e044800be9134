"""Numbers as pages write them."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """A figure with three digits or more."""
    return f"{value:.1f}" if abs(value) >= 100.0 or value == 0.0 else f"{value:.3g}"


def with_half(value: float, half: float | None) -> str:
    """A figure with half of its interval, if it has one."""
    if half is None or math.isnan(half):
        return number(value)
    return f"{number(value)} ± {number(half)}"
