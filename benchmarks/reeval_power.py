"""How often a re-evaluation accepts false claims, and how often it refuses honest ones.

    python benchmarks/reeval_power.py [--groups 2000] [--honest 40000] [--json PATH]

Policies are made up: returns of an episode lie in 0 to 1000 and have a mean of 500 and a stated
coefficient of variation (CV). An entry claims 50 episodes of each run, and a number of fresh ones
is rolled out. A cheat adds a share to the claims of some runs: scaled, which multiplies honest
episodes, or shaped, which claims the multiple of the policy's true mean itself, without noise. The
test looks at nothing but the mean of the claims, so their spread, equal or extreme, hides nothing.

Groups of runs are independent, so an entry is accepted with the product of its groups' chances.
Shares below 1 / groups are not resolved.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from tabulate import tabulate

from leaderboard.statistics import resampled
from leaderboard.statistics.claimed import FAR, LEVEL_GROUPS, LEVEL_RUNS

Array = NDArray[np.float64]
Alarms = NDArray[np.bool_]

LOW = 0.0
HIGH = 1000.0
CLAIMED = 50
"""Claimed episodes of a run."""
FRESH = (20, 50, 100, 150, 200, 500)
SPREADS = (0.05, 0.1, 0.2, 0.4)
CHEATS = (0.01, 0.03, 0.05, 0.1, 0.15)
CHUNK = 500
"""Groups in memory at once."""
FILTER = 2.0
"""Standard errors below which an honest group is not tested: hardly any alarms. The output states
the lowest alarm: with 50 claimed episodes it is 2.7; with 5, one group in 24,000 is overlooked."""


@dataclass(frozen=True)
class Layout:
    """An entry."""

    name: str
    seeds: int
    """Runs of a group."""
    groups: int
    cheating: int
    """Groups whose claims are false."""


LAYOUTS = (
    Layout("8 runs, all", 2, 4, 4),
    Layout("80 runs, all", 10, 8, 8),
    Layout("40 runs, one regime of four", 10, 4, 1),
)


@dataclass(frozen=True)
class Policy:
    """What an episode returns."""

    noise: str
    mean: float
    spread: float
    """Coefficient of variation of the episodes that do not fall."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Returns of episodes."""
        deviation = self.spread * self.mean
        if self.noise == "bimodal":
            mode = np.where(generator.random(shape) < 0.5, -1.0, 1.0)
            returns = self.mean + deviation * (mode + 0.1 * generator.standard_normal(shape))
        elif self.noise in ("skewed up", "skewed down"):
            side = 1.0 if self.noise == "skewed up" else -1.0
            away = generator.standard_exponential(shape) - 1.0
            returns = self.mean + side * deviation * away
        else:
            returns = generator.normal(self.mean, deviation, shape)

        # A fall returns up to 20.
        if self.noise.endswith("% fall"):
            share = float(self.noise.partition("%")[0]) / 100.0
            fallen = generator.random(shape) < share
            returns[fallen] = 20.0 * generator.random(int(fallen.sum()))
        return np.clip(returns, LOW, HIGH)

    def true_mean(self) -> float:
        """Mean return, which clipping moves a little."""
        return float(self.draw(np.random.default_rng(7), (2_000_000,)).mean())


def chunks(
    policy: Policy, seeds: int, groups: int, seed: int, claimed: int
) -> Iterator[tuple[Array, Array]]:
    """Honest groups: claimed episodes [B, k, m] and fresh ones [B, k, 500]."""
    generator = np.random.default_rng(seed)
    for first in range(0, groups, CHUNK):
        count = min(CHUNK, groups - first)
        claims = policy.draw(generator, (count, seeds, claimed))
        yield claims, policy.draw(generator, (count, seeds, max(FRESH)))


def with_imagined(fresh: Array) -> Array:
    """What honest episodes are drawn from: [B, k, n] -> [B, k, n + 2]."""
    ends = np.broadcast_to([LOW, HIGH], (*fresh.shape[:-1], 2))
    return np.concatenate([fresh, ends], axis=-1)


def critical(returns: Array, claimed: Array, fresh: int, level: float, side: float) -> Array:
    """The mean difference beyond which a group alarms on one side: [B]."""
    centred = side * (returns - returns.mean(axis=-1, keepdims=True))
    wanted = -float(ndtri(level / 2.0))
    curvature = resampled.cumulants(np.zeros(len(returns)), centred, claimed, fresh)[2]
    t = wanted / np.sqrt(curvature)

    # w is nearly proportional to t, so that few steps suffice.
    for _ in range(8):
        value, slope, curvature = resampled.cumulants(t, centred, claimed, fresh)
        w = np.sqrt(2.0 * (t * slope - value))
        t *= wanted / (w + np.log(t * np.sqrt(curvature) / w) / w)
    return resampled.cumulants(t, centred, claimed, fresh)[1]


def run_alarms(claims: Array, returns: Array, claimed: int, fresh: int, level: float) -> Alarms:
    """Whether a single run of each group alarms: [B]."""
    alarms = np.zeros(claims.shape, dtype=bool)
    difference = claims - returns[..., :-2].mean(axis=-1)
    far = np.abs(difference) > FAR * (HIGH - LOW)
    if far.any():
        single = returns[far][:, None, :]
        counts = np.array([float(claimed)])
        alarms[far] = resampled.two_sided(difference[far], single, counts, fresh) < level
    return np.asarray(alarms.any(axis=1))


# -- honest entries --


def false_alarms(
    policy: Policy, seeds: int, groups: int, claimed: int, levels: list[tuple[float, float]]
) -> tuple[dict[tuple[int, int], float], float]:
    """(fresh episodes, index of the levels) -> share of honest groups that alarm, and the lowest
    difference that alarmed, in standard errors. `levels`: of a group and of a run."""
    alarms = {(n, index): 0 for n in FRESH for index in range(len(levels))}
    lowest = np.inf
    counts = np.full(seeds, float(claimed))
    for claims, fresh in chunks(policy, seeds, groups, 1, claimed):
        means = claims.mean(axis=-1)
        for n in FRESH:
            returns = with_imagined(fresh[..., :n])
            difference = (means - fresh[..., :n].mean(axis=-1)).mean(axis=-1)
            variance = returns.var(axis=-1).sum(axis=-1) * (1.0 / claimed + 1.0 / n)
            scores = np.abs(difference) * seeds / np.sqrt(variance)

            p = np.ones(len(scores))
            kept = scores > FILTER
            if kept.any():
                p[kept] = resampled.two_sided(difference[kept], returns[kept], counts, n)
            for index, (group_level, run_level) in enumerate(levels):
                alarmed: Alarms = p < group_level
                lowest = min([lowest, *scores[alarmed]])
                alarmed |= run_alarms(means, returns, claimed, n, run_level)
                alarms[n, index] += int(alarmed.sum())
    return {key: count / groups for key, count in alarms.items()}, lowest


def levels_of(layout: Layout) -> tuple[float, float]:
    """Level of each group and of each run of an entry."""
    return LEVEL_GROUPS / layout.groups, LEVEL_RUNS / (layout.groups * layout.seeds)


def honest_rows(policy: Policy, groups: int, claimed: int = CLAIMED) -> list[dict[str, object]]:
    """A row for each layout: how often an honest entry is refused."""
    rows = list[dict[str, object]]()
    for seeds in sorted({layout.seeds for layout in LAYOUTS}):
        layouts = [layout for layout in LAYOUTS if layout.seeds == seeds]
        levels = [levels_of(layout) for layout in layouts]
        shares, lowest = false_alarms(policy, seeds, groups, claimed, levels)
        for index, layout in enumerate(layouts):
            refused = {n: 1.0 - (1.0 - shares[n, index]) ** layout.groups for n in FRESH}
            rows.append(
                {
                    "noise": policy.noise,
                    "mean": policy.mean,
                    "cv": policy.spread,
                    "claimed": claimed,
                    "runs": layout.seeds * layout.groups,
                    "refused": refused,
                    "lowest alarm": None if np.isinf(lowest) else round(float(lowest), 2),
                }
            )
    return rows


# -- false claims --


def cheat_rows(policy: Policy, layout: Layout, groups: int) -> list[dict[str, object]]:
    """A row for each cheat: how often an entry with it is accepted."""
    group_level, run_level = levels_of(layout)
    counts = np.full(layout.seeds, float(CLAIMED))
    truth = policy.true_mean()
    shares = [sign * share for sign in (1.0, -1.0) for share in (0.0, *CHEATS)]
    accepted = {(kind, x, n): 0 for kind in ("scaled", "shaped") for x in shares for n in FRESH}

    for claims, fresh in chunks(policy, layout.seeds, groups, 2, CLAIMED):
        for n in FRESH:
            returns = with_imagined(fresh[..., :n])
            means = fresh[..., :n].mean(axis=-1)
            above = critical(returns, counts, n, group_level, 1.0)
            below = critical(returns, counts, n, group_level, -1.0)
            for kind, x, _ in (key for key in accepted if key[2] == n):
                claim = cheated(claims, x, truth if kind == "shaped" else None)
                difference = (claim - means).mean(axis=-1)
                alarmed = (difference > above) | (-difference > below)
                alarmed |= run_alarms(claim, returns, CLAIMED, n, run_level)
                accepted[kind, x, n] += int((~alarmed).sum())

    # The other groups are honest.
    honest = layout.groups - layout.cheating
    rows = list[dict[str, object]]()
    for kind in ("shaped", "scaled"):
        for x in (x for x in shares if x):
            row: dict[str, object] = {"cheat": kind, "share": x, "layout": layout.name}
            row |= {"mean": policy.mean, "cv": policy.spread, "noise": policy.noise}
            row["accepted"] = {
                n: (accepted[kind, x, n] / groups) ** layout.cheating
                * (accepted["scaled", 0.0, n] / groups) ** honest
                for n in FRESH
            }
            rows.append(row)
    return rows


def cheated(claims: Array, share: float, truth: float | None) -> Array:
    """Mean claims with a share added: of the honest episodes [B, k, m], or of the true mean."""
    if truth is None:
        scaled: Array = np.clip(claims * (1.0 + share), LOW, HIGH).mean(axis=-1)
        return scaled
    return np.full(claims.shape[:-1], min(HIGH, (1.0 + share) * truth))


# -- output --


def percent(share: float) -> str:
    """A share for people."""
    digits = 2 if share < 0.01 else 1 if share < 0.1 else 0
    return f"{100.0 * share:.{digits}f}"


def print_table(rows: list[dict[str, object]], columns: tuple[str, ...], figures: str) -> None:
    """Rows as a table in Markdown, a column for each number of fresh episodes."""
    lines = list[list[str]]()
    for row in rows:
        shares = row[figures]
        assert isinstance(shares, dict)
        lines.append([f"{row[name]}" for name in columns] + [percent(shares[n]) for n in FRESH])
    headers = [*columns, *(f"n = {n}" for n in FRESH)]
    print(tabulate(lines, headers=headers, tablefmt="github", disable_numparse=True), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=2000, help="for each cheat")
    parser.add_argument("--honest", type=int, default=40000, help="honest groups of each kind")
    parser.add_argument("--json", type=Path, help="where the figures go")
    arguments = parser.parse_args()

    # Cheats, on normal noise of every spread, and on good and bad policies.
    policies = [Policy("normal", 500.0, spread) for spread in SPREADS]
    policies += [Policy("normal", mean, 0.2) for mean in (200.0, 800.0)]
    cheats = list[dict[str, object]]()
    for layout in LAYOUTS:
        for policy in policies:
            rows = cheat_rows(policy, layout, arguments.groups)
            cheats += rows
            shaped = [row for row in rows if row["cheat"] == "shaped"]
            print_table(shaped, ("layout", "mean", "cv", "cheat", "share"), "accepted")

    # Honest entries: all kinds of noise, good policies that fall, and few claimed episodes.
    noises = ("normal", "bimodal", "skewed up", "skewed down", "1% fall", "0.5% fall")
    honest = list[dict[str, object]]()
    for noise in noises:
        for spread in SPREADS:
            honest += honest_rows(Policy(noise, 500.0, spread), arguments.honest)
    for noise in ("1% fall", "0.5% fall"):
        for claimed in (CLAIMED, 10, 5):
            honest += honest_rows(Policy(noise, 900.0, 0.05), arguments.honest, claimed)
    print_table(honest, ("noise", "mean", "cv", "claimed", "runs", "lowest alarm"), "refused")

    if arguments.json:
        # A line for each row, so that changes can be read.
        lists = []
        for name, rows in (("cheats", cheats), ("honest", honest)):
            lines = ",\n".join(json.dumps(row) for row in rows)
            lists.append(f'"{name}": [\n{lines}\n]')
        arguments.json.write_text("{" + ",\n".join(lists) + "}\n")


if __name__ == "__main__":
    main()
