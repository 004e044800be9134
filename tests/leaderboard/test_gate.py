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


def test_figures_contradict_what_is_called_identical():
    open_ = gate.judge(cells(100.0, sd=60.0), cells(95.0, sd=60.0, seed=1))
    assert open_.word == "INCONCLUSIVE" and open_.keeps()
    assert not gate.judge(cells(100.0, sd=60.0), cells(60.0, sd=60.0, seed=1)).keeps()
    assert not gate.judge(cells(100.0), cells(92.0, sd=1.0)).keeps(), "a FAIL within the margin"

    # Nothing at all is borne out by no figures, whatever the margin.
    nothing = {"dog-run/mst": [0.0, 0.0]}
    for baseline in ({"dog-run/mst": [90.0, 110.0]}, nothing):
        verdict = gate.judge(baseline, nothing)
        assert verdict.word != "PASS"
        assert not verdict.keeps(margin=1.0)


def test_a_failed_run_scores_nothing():
    runs = [stated("mst", 0, 10.0), stated("mst", 1, None, status="failed"), stated("mst", 2, 12.0)]
    assert gate.scores(runs) == {"dog-run/mst": [10.0, 0.0, 12.0]}


def test_the_gate_was_calibrated():
    measured = gate.calibration()
    assert measured["comparisons"] >= 300
    assert measured["false_alarms"] / measured["comparisons"] <= 0.01
    assert measured["inconclusive"] / measured["comparisons"] <= 0.20
    assert measured["found"] / measured["comparisons"] >= 0.90
    assert measured["planted_passed_if_identical"] == 0


def test_error_rates_are_stated_for_what_they_were_measured_on():
    line = gate.calibration_line("ci-tiny version 1", [80, 80, 80, 80])
    assert line.startswith("measured on ci-tiny version 1, 80 against 80 seeds: false alarms ")


def test_error_rates_of_anything_else_were_not_measured():
    """Two seeds of a suite of one's own once came with the rates of 80 seeds of ci-tiny."""
    unmeasured = "the error rates of this suite were not measured"
    for suite in ("own version 1", "ci-tiny version 2", "ci-tiny version 1, changed"):
        line = gate.calibration_line(suite, [80, 80])
        assert line.startswith(unmeasured)
        assert "false alarms" not in line

    # The same suite, but not as it was measured.
    for line in (
        gate.calibration_line("ci-tiny version 1", [80, 40]),
        gate.calibration_line("ci-tiny version 1", [80, 80], defaults=False),
    ):
        assert line.startswith("the error rates were measured with other seeds or limits")
        assert "false alarms" not in line
