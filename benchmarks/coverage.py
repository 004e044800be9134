"""How often intervals hold what they should, and how often rules decide wrongly.

    python benchmarks/coverage.py [--replications 10000] [--intervals 2000] [--json FILE]

Intervals: coverage of nominal 95 percent intervals at 3, 5 and 10 seeds. Rules: size and power at
3, 5, 10 and 30 seeds (rule_sizes.py). Noise models are fitted to published seeds: `tight`
(coefficient of variation 0.05), `mid` (0.25), `wide` (0.5), and `collapse` (mid, but 15 percent of
the seeds score a twentieth). Two tasks unless said otherwise. True values follow from a million
draws.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from noise import SCENARIOS, Array, Model
from rule_sizes import SEEDS as RULE_SEEDS
from rule_sizes import Size, sizes
from tabulate import tabulate

from leaderboard.statistics import measures, stats
from leaderboard.statistics.rules import LEVEL

SEEDS = (3, 5, 10)
DRAWS = 1_000_000
INTERVALS = (
    "mean, Welch t",
    "mean, bootstrap",
    "IQM, bootstrap",
    "one task's mean, t",
    "difference, Welch t",
    "ratio of spreads",
    "P(improvement), bootstrap",
    "P(improvement) of a better side",
)
BETTER = 1.25
"""How many times the other's scores a better side has."""


def covered(models: list[Model], n: int, replications: int, seed: int) -> dict[str, float]:
    """Share of replications in which each interval holds the true value."""
    generator = np.random.default_rng(seed)
    many = [model(np.random.default_rng(99), DRAWS) for model in models]
    mean = float(np.mean([draws.mean() for draws in many]))
    pooled = _pooled_iqm(many, n)
    chance = float(
        np.mean(
            [_chance_of_better(model, draws) for model, draws in zip(models, many, strict=True)]
        )
    )

    hits = dict.fromkeys(INTERVALS, 0)
    for number in range(replications):
        cells = [model(generator, n).tolist() for model in models]
        other = [model(generator, n).tolist() for model in models]
        t = stats.suite_mean(cells)
        hits["mean, Welch t"] += abs(t.mean - mean) <= t.half_width
        low, high = stats.bootstrap(cells, _mean_of_means, seed=number)
        hits["mean, bootstrap"] += low <= mean <= high
        low, high = stats.iqm_interval(cells, seed=number)
        hits["IQM, bootstrap"] += low <= pooled <= high
        one = stats.mean_interval(cells[0])
        hits["one task's mean, t"] += abs(one.mean - float(many[0].mean())) <= one.half_width

        # Both sides have the same law: no difference, equal spreads, and even chances.
        gap = stats.difference(cells, other)
        hits["difference, Welch t"] += gap.low <= 0.0 <= gap.high
        ratio = measures.spreads(cells, other, 1.0)
        hits["ratio of spreads"] += min(ratio.above, ratio.below) >= 0.025
        low, high = stats.improvement_interval(cells, other, seed=number)
        hits["P(improvement), bootstrap"] += low <= 0.5 <= high

        # One side is better, so that few seeds often say that it always is.
        better = [[BETTER * score for score in cell] for cell in cells]
        low, high = stats.improvement_interval(better, other, seed=number)
        hits["P(improvement) of a better side"] += low <= chance <= high
    return {name: hit / replications for name, hit in hits.items()}


def _mean_of_means(drawn: list[Array]) -> Array:
    """Mean over tasks of resamples."""
    mean: Array = np.mean([scores.mean(1) for scores in drawn], axis=0)
    return mean


def _chance_of_better(model: Model, draws: Array) -> float:
    """Probability that a score of the better side is above one of the other, ties half."""
    others = np.sort(model(np.random.default_rng(98), DRAWS))
    better = BETTER * draws
    below, up_to = (np.searchsorted(others, better, side) for side in ("left", "right"))
    return float((below + up_to).mean()) / (2 * DRAWS)


def _pooled_iqm(many: list[Array], n: int) -> float:
    """True interquartile mean of n seeds of each task.

    Seeds are trimmed together, so it depends on n through rounding alone.
    """
    whole = DRAWS // n * n
    cells = [draws[:whole].reshape(-1, n) for draws in many]
    return float(np.mean(stats.iqm(np.concatenate(cells, axis=1))))


def interval_table(coverage: dict[str, dict[int, dict[str, float]]]) -> str:
    """Coverage, one row a noise model."""
    rows = []
    for scenario, by_n in coverage.items():
        shares = [" / ".join(f"{by_n[n][name]:.2f}" for n in SEEDS) for name in INTERVALS]
        rows.append([scenario, *shares])
    headers = ["scenario", *INTERVALS]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def rule_table(found: list[Size]) -> str:
    """Size and power, one row a rule and model."""
    groups: dict[tuple[str, str], list[Size]] = {}
    for size in found:
        groups.setdefault((size.rule, size.model), []).append(size)
    rows = []
    for (rule, model), by_n in sorted(groups.items(), key=lambda item: item[0][0]):
        real = " / ".join(f"{size.size:.3f}" for size in by_n)
        powers = " / ".join(f"{size.power:.2f}" for size in by_n)
        formula = " / ".join("-" if s.formula is None else f"{s.formula:.2f}" for s in by_n)
        rows.append([rule, model, real, powers, formula])
    seeds = " / ".join(map(str, RULE_SEEDS))
    title = f"size at {seeds} seeds, nominal {LEVEL}"
    headers = ["rule", "noise", title, "power", "power by formula"]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=10_000, help="of rules")
    parser.add_argument("--intervals", type=int, default=2000, help="replications of intervals")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    rules = list(sizes(arguments.replications)) if arguments.replications else []
    intervals = {
        scenario: {n: covered(models, n, arguments.intervals, n) for n in SEEDS}
        for scenario, models in SCENARIOS.items()
        if arguments.intervals
    }
    print(rule_table(rules))
    print(interval_table(intervals))
    if arguments.json:
        rows = [asdict(size) for size in rules]
        document = {
            "replications": arguments.replications,
            "rules": rows,
            "interval_replications": arguments.intervals,
            "intervals": intervals,
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
