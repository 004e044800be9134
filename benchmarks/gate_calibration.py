"""How often the regression gate is wrong: measured on many seeds of `ci-tiny`, written to
leaderboard/statistics/gate-calibration.json.

    mst-bench run --suite ci-tiny --set seeds=256 --members 32 --out OUT
    python benchmarks/gate_calibration.py OUT/<plan id> | results/ci-tiny-scores.csv
        [--seeds 80] [--comparisons 1000] [--write]

Each comparison draws two disjoint sets of seeds from all that there are: nothing changed, so a FAIL
is a false alarm. The same candidate with its scores brought down by 40 percent must FAIL. These
rates are those of the statistics alone (`--no-canary`); what an identical canary changes is counted
beside them. Comparisons share seeds with each other where the pool
is smaller than all of them need, which does not bias their mean; the interval of the false alarms
is Clopper and Pearson's, as if they were independent. A first FAIL is confirmed on seeds that
neither side has, as `regress` does.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.stats import beta

from harness.planning.plan import read_plan
from harness.training.results import read_results
from leaderboard.statistics import gate

DROP = 0.4


def read_scores(path: Path) -> tuple[str, dict[tuple[str, int], float]]:
    """Name of the suite, and (regime, seed) -> score, a failed run scoring nothing."""
    if path.suffix == ".csv":
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        regimes = [name for name in rows[0] if name != "seed"]
        return "ci-tiny version 1", {
            (name, int(row["seed"])): float(row[name]) for row in rows for name in regimes
        }
    plan = read_plan(path / "plan.json")
    results = read_results(path, plan.runs)
    scores = {(run.regime, run.seed): result.score or 0.0 for run, result in results.items()}
    return f"{plan.suite.name} version {plan.suite.version}", scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "scores",
        type=Path,
        help="OUT/<plan id>, or a CSV of a column `seed` and one for each regime",
    )
    parser.add_argument("--seeds", type=int, default=80, help="of each side")
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument(
        "--write", action="store_true", help="leaderboard/statistics/gate-calibration.json"
    )
    arguments = parser.parse_args()
    suite, scores = read_scores(arguments.scores)
    regimes = list(dict.fromkeys(regime for regime, _ in scores))
    seeds = sorted({seed for _, seed in scores})
    whole = [seed for seed in seeds if all((regime, seed) in scores for regime in regimes)]
    generator = np.random.default_rng(0)

    def cells(seeds: list[int], share: float = 1.0) -> dict[str, list[float]]:
        return {regime: [share * scores[regime, seed] for seed in seeds] for regime in regimes}

    alarms: Counter[str] = Counter()
    first: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    kept = 0
    """Unchanged candidates that pass as identical, if code, versions, plan and canary are."""
    excused = 0
    """The same of candidates with a planted loss: none may."""
    n = arguments.seeds
    if len(whole) < 2 * n:
        raise SystemExit(f"{len(whole)} seeds are there, {2 * n} are needed for two disjoint sides")
    for _ in range(arguments.comparisons):
        drawn = generator.permutation(whole).tolist()
        old, new, more = drawn[:n], drawn[n : 2 * n], drawn[2 * n : 3 * n]
        verdict = gate.judge(cells(old), cells(new))
        kept += verdict.keeps()
        word = verdict.word
        first[word] += 1
        if word == "FAIL" and len(more) > 1:  # confirmed on fresh seeds, as far as there are any
            again = gate.judge(cells(old), cells(more)).word
            together = gate.judge(cells(old), cells(new + more)).word
            word = "FAIL" if again == "FAIL" else "INCONCLUSIVE" if together == "FAIL" else together
        alarms[word] += 1
        worse = gate.judge(cells(old), cells(new, 1.0 - DROP))
        excused += worse.keeps()
        planted[worse.word] += 1
    count, total = alarms["FAIL"], arguments.comparisons
    interval = [
        float(beta.ppf(0.025, count, total - count + 1)) if count else 0.0,
        float(beta.ppf(0.975, count + 1, total - count)) if count < total else 1.0,
    ]
    document = {
        "suite": suite,
        "pool_seeds": len(whole),
        "baseline_seeds": n,
        "candidate_seeds": n,
        "comparisons": total,
        "false_alarms": count,
        "false_alarms_unconfirmed": first["FAIL"],
        "false_alarm_interval": interval,
        "inconclusive": alarms["INCONCLUSIVE"],
        "planted_drop": DROP,
        "found": planted["FAIL"],
        "passed_if_identical": kept,
        "planted_passed_if_identical": excused,
        "cells": {
            regime: {
                "mean": float(np.mean([scores[regime, seed] for seed in whole])),
                "coefficient_of_variation": float(
                    np.std([scores[regime, seed] for seed in whole], ddof=1)
                    / np.mean([scores[regime, seed] for seed in whole])
                ),
            }
            for regime in regimes
        },
    }
    text = json.dumps(document, indent=2) + "\n"
    print(text, end="")
    print(
        f"A/A: {dict(alarms)}; first attempts: {dict(first)}; with a planted drop: {dict(planted)}"
    )
    if arguments.write:
        (Path(gate.__file__).parent / "gate-calibration.json").write_text(text)


if __name__ == "__main__":
    main()
