"""How often the intervals hold what they should: coverage of nominal 95 percent intervals at 3, 5
and 10 seeds.

    python benchmarks/coverage.py [--replications 2000] [--json FILE]

Noise models are fitted to published seeds: `tight` (coefficient of variation 0.05), `mid` (0.25),
`wide` (0.5), and `collapse` (mid, but 15 percent of the seeds score a twentieth). Two tasks unless
said otherwise. True values follow from a million draws.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from leaderboard.statistics import stats

Array = NDArray[np.float64]
Model = Callable[[np.random.Generator, int], Array]
SEEDS = (3, 5, 10)


def normal(mean: float, variation: float) -> Model:
    return lambda generator, n: np.maximum(
        0.0, mean * (1.0 + variation * generator.standard_normal(n))
    )


def collapse(mean: float) -> Model:
    inner = normal(mean, 0.25)
    return lambda generator, n: np.where(
        generator.random(n) < 0.15, mean / 20.0, inner(generator, n)
    )


TIGHT, MID, WIDE, COLLAPSE = (
    normal(700.0, 0.05),
    normal(300.0, 0.25),
    normal(400.0, 0.5),
    collapse(300.0),
)
SCENARIOS: dict[str, list[Model]] = {
    "wide + mid": [WIDE, MID],
    "tight + mid": [TIGHT, MID],
    "collapse + mid": [COLLAPSE, MID],
    "7 tasks mixed": [TIGHT, MID, WIDE, MID, TIGHT, WIDE, MID],
}


def covered(models: list[Model], n: int, replications: int, seed: int) -> dict[str, float]:
    """Share of replications in which each interval holds the true value."""
    generator = np.random.default_rng(seed)
    many = [model(np.random.default_rng(99), 1_000_000) for model in models]
    mean = float(np.mean([draw.mean() for draw in many]))
    # Pooled over tasks: n seeds of each are trimmed together, so the estimand depends on n through
    # rounding alone.
    pooled = float(
        np.mean(
            stats.iqm(
                np.concatenate(
                    [draw[: (1_000_000 // n) * n].reshape(-1, n) for draw in many], axis=1
                )
            )
        )
    )
    hits = dict.fromkeys(
        (
            "mean, Welch t",
            "mean, bootstrap",
            "IQM, bootstrap",
            "one task's mean, t",
            "difference, Welch t",
        ),
        0,
    )
    for number in range(replications):
        cells = [model(generator, n).tolist() for model in models]
        other = [model(generator, n).tolist() for model in models]
        t = stats.suite_mean(cells)
        hits["mean, Welch t"] += abs(t.mean - mean) <= t.half_width
        low, high = stats.bootstrap(
            cells, lambda drawn: np.mean([d.mean(1) for d in drawn], axis=0), seed=number
        )
        hits["mean, bootstrap"] += low <= mean <= high
        low, high = stats.iqm_interval(cells, seed=number)
        hits["IQM, bootstrap"] += low <= pooled <= high
        one = stats.mean_interval(cells[0])
        hits["one task's mean, t"] += abs(one.mean - float(many[0].mean())) <= one.half_width
        gap = stats.difference(cells, other)
        hits["difference, Welch t"] += gap.low <= 0.0 <= gap.high
    return {name: hit / replications for name, hit in hits.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = {
        scenario: {n: covered(models, n, arguments.replications, n) for n in SEEDS}
        for scenario, models in SCENARIOS.items()
    }
    names = list(next(iter(found.values()))[SEEDS[0]])
    rows = [
        [scenario, *(" / ".join(f"{by_n[n][name]:.2f}" for n in SEEDS) for name in names)]
        for scenario, by_n in found.items()
    ]
    print(tabulate(rows, headers=["scenario", *names], tablefmt="github", disable_numparse=True))
    if arguments.json:
        arguments.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
