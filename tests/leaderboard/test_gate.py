"""The statistics of the regression gate: what they pass, fail and leave open."""

import numpy as np

from helpers.statements import stated
from leaderboard.statistics import gate


def cells(mean, sd=10.0, n=10, seed=0):
    """One cell of `n` scores around a mean."""
    return {"dog-run/mst": (mean + sd * np.random.default_rng(seed).standard_normal(n)).tolist()}


def test_the_same_passes_a_clear_loss_fails_and_noise_stays_open():
    assert gate.judge(cells(100.0), cells(100.0, seed=1)).word == "PASS"
    assert gate.judge(cells(100.0), cells(60.0, seed=1)).word == "FAIL"
    undecided = gate.judge(cells(100.0, sd=60.0), cells(95.0, sd=60.0, seed=1))
    assert undecided.word == "INCONCLUSIVE"
    assert undecided.more_seeds > 0


def test_a_sure_but_small_loss_is_no_failure():
    verdict = gate.judge(cells(100.0, sd=0.5), cells(97.0, sd=0.5, seed=1))
    assert verdict.cells[0].p < 0.01
    assert verdict.word == "PASS", "3 percent are within the tolerance of 5"


def test_one_bad_cell_of_many_fails_all():
    old = {f"t/{i}": cells(100.0, seed=i)["dog-run/mst"] for i in range(5)}
    new = {f"t/{i}": cells(50.0 if i == 3 else 100.0, seed=10 + i)["dog-run/mst"] for i in range(5)}
    verdict = gate.judge(old, new)
    assert verdict.word == "FAIL"
    assert [cell.cell for cell in verdict.cells if cell.word == "FAIL"] == ["t/3"]


def test_as_many_seeds_as_were_asked_for_usually_decide():
    undecided = gate.judge(cells(100.0, sd=30.0, n=6), cells(102.0, sd=30.0, n=6, seed=4))
    assert undecided.word == "INCONCLUSIVE"
    more = undecided.more_seeds
    decided = [
        gate.judge(cells(100.0, 30.0, 6), cells(104.0, 30.0, 6 + more + 6, s)).word == "PASS"
        for s in range(30)
    ]
    assert sum(decided) >= 10


def test_a_failed_run_scores_nothing():
    runs = [stated("r", seed, score, task="t") for seed, score in enumerate((10.0, None, 12.0))]
    assert gate.scores(runs) == {"t/r": [10.0, 0.0, 12.0]}


def test_the_calibration_is_printed():
    assert "false alarms" in gate.calibration_line()
    measured = gate.calibration()
    assert measured["comparisons"] >= 300
    assert measured["false_alarms"] / measured["comparisons"] <= 0.01
    assert measured["inconclusive"] / measured["comparisons"] <= 0.20
    assert measured["found"] / measured["comparisons"] >= 0.90
