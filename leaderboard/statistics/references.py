"""Published results to compare with: final returns after 1,000,000 steps of dm_control tasks.

Means over seeds with 95 percent t intervals, computed from the per-seed files that the authors
released; standard deviations follow from the intervals. Nobody here has verified these runs: pages
show them as unverified rows.
"""

from __future__ import annotations

from dataclasses import dataclass

ENVIRONMENT_STEPS = 1_000_000
"""Environment steps behind every figure here."""
PUBLISHED = ("score", "last")
"""Figures of claims that they can be compared with."""


@dataclass(frozen=True)
class Method:
    """One published method."""

    seeds: int
    source: str
    """Source of the per-seed results."""
    returns: dict[str, tuple[float, float]]
    """Task -> mean and half width of its 95 percent t interval."""


_TASKS = (
    "dog-run",
    "dog-stand",
    "dog-trot",
    "dog-walk",
    "humanoid-run",
    "humanoid-stand",
    "humanoid-walk",
)


def _rows(*figures: tuple[float, float]) -> dict[str, tuple[float, float]]:
    return dict(zip(_TASKS, figures, strict=True))


METHODS: dict[str, Method] = {
    "MR.Q": Method(10, "facebookresearch/MRQ results/, arXiv 2501.16142", _rows(
        (569, 29), (968, 9), (878, 35), (916, 10), (200, 41), (868, 51), (662, 70))),
    "DR.Q": Method(10, "dmksjfl/DR.Q results/", _rows(
        (721, 42), (972, 11), (925, 13), (950, 9), (465, 24), (938, 7), (925, 8))),
    "XQC": Method(10, "danielpalenicek/xqc results/xqc.csv", _rows(
        (645, 42), (981, 6), (910, 15), (941, 13), (216, 23), (907, 45), (713, 89))),
    "SimbaV2": Method(10, "DAVIAN-Robotics/SimbaV2 results/, 2 updates a step", _rows(
        (563, 53), (981, 5), (862, 103), (936, 10), (195, 15), (916, 34), (652, 71))),
    "TD-MPC2": Method(3, "nicklashansen/tdmpc2 results/", _rows(
        (170, 307), (799, 71), (500, 41), (494, 947), (185, 59), (664, 81), (628, 40))),
}  # fmt: skip
"""Name -> published results."""
